"""Actions and texts of ADK 2.13's web UI."""

import re
from types import TracebackType
from typing import Self

from playwright.sync_api import Browser, Locator, Page, Response, expect

_ACTION_MS = 120_000


class Chat:
    """The chat page in a browser profile of its own.

    The UI shows a failed call as an empty list, so every answer's status is noted.
    """

    def __init__(self, browser: Browser, address: str) -> None:
        self.context = browser.new_context()
        self.page: Page = self.context.new_page()
        self.page.set_default_timeout(_ACTION_MS)
        self.failed: list[str] = []
        self.page.on("response", self._note)
        self.page.goto(address)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.context.close()

    def _note(self, response: Response) -> None:
        # Every load asks for a style sheet and fonts that are not there.
        if response.status >= 400 and response.request.resource_type in ("fetch", "xhr"):
            self.failed.append(f"{response.status} {response.request.method} {response.url}")

    @property
    def session_id(self) -> str:
        """The session in the page's address."""
        found = re.search(r"[?&]session=([^&]+)", self.page.url)
        assert found, self.page.url
        return found[1]

    def say(self, text: str) -> None:
        """Send a message and wait until the agent has answered."""
        answers = self.page.locator("app-event-row.bot .content-bubble markdown")
        before = answers.count()
        self.page.get_by_placeholder("Type a message...").fill(text)
        self.page.locator("button.send-message-btn").click()
        expect(answers).to_have_count(before + 1, timeout=_ACTION_MS)

    def messages(self, count: int) -> list[str]:
        """All messages in order, once there are so many."""
        rows = self.page.locator("app-event-row .content-bubble markdown")
        expect(rows).to_have_count(count, timeout=_ACTION_MS)
        return rows.all_inner_texts()

    def open_list(self) -> Locator:
        """Open the list of sessions. Returns its items, as Redis has them now."""
        with self.page.expect_response(_is_list):
            self.page.locator(".toolbar-session-group button.selector-button").first.click()
        return self.page.locator(".session-item")

    def close_list(self) -> None:
        self.page.get_by_label("Close session selector").click()

    def rename(self, title: str) -> None:
        """Give the current session another title; the list is open."""
        name = self.page.locator(".session-selector-current-id")
        name.get_by_label("Edit").click()
        name.locator("input").fill(title)
        with self.page.expect_response(lambda answer: answer.request.method == "PATCH"):
            name.locator("input").press("Enter")

    def delete(self, session_id: str) -> None:
        """Delete a session in the list, which is open."""
        item = self.page.locator(".session-item").filter(
            has=self.page.locator(f'[title="{session_id}"]')
        )
        item.hover()  # which shows the button
        item.get_by_title("Delete session").click()
        with self.page.expect_response(lambda answer: answer.request.method == "DELETE"):
            self.page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(item).to_have_count(0)


def _is_list(answer: Response) -> bool:
    return answer.request.method == "GET" and answer.url.endswith("/sessions")
