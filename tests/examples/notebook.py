# ruff: noqa: F704
# A notebook: each part is a cell, in which `await` needs no function around it.

from adksess import SessionStore

store = SessionStore("redis://localhost:6379/0")

# %% The sessions of an app, without their events.
async for batch in store.scan("remember"):
    for summary in batch:
        print(summary.ref.session_id, summary.title, summary.tail.event_count)

# %% The last ten events of one of them.
ref = summary.ref
stored = await store.read(ref, last=10)
print(stored.document.tail.state, stored.user_state)
for line in stored.document.events:
    print(line.decode())

# %% Delete it, and its user's state.
await store.delete([ref])
await store.delete_state(ref.app_name, ref.user_id)
await store.aclose()
