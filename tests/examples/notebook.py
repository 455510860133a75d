# ruff: noqa: F704
# In a notebook `await` needs no function around it: each part here is a cell.

from adksess import SessionStore

store = SessionStore("redis://localhost:6379/0")

# %% the sessions of an app, without their events
async for batch in store.scan("remember"):
    for summary in batch:
        print(summary.ref.session_id, summary.title, summary.tail.event_count)

# %% the last ten events of one of them
ref = summary.ref
stored = await store.read(ref, last=10)
print(stored.document.tail.state, stored.user_state)
for line in stored.document.events:
    print(line.decode())

# %% gone, and its user's state with it
await store.delete([ref])
await store.delete_state(ref.app_name, ref.user_id)
await store.aclose()
