"""Mask what looks like a credential: values by the name of their field, texts by their form.

Masking is a precaution before sharing, not a guarantee that no secret is left.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from adksess.conversation.history import content_parts, get_object
from adksess.conversation.status import CREDENTIAL_REQUEST

MASK = "***"
"""The text that replaces a credential."""

ADK_INTERNAL = "__adk_internal_"
"""Custom metadata that ADK removes from public events (`public_event`, 2.13)."""

_CACHE_SUFFIX = "_token_cache"
"""End of the state keys in which ADK's Google tools keep tokens, such as `bigquery_token_cache`."""

_WORDS = (
    r"pass(?:word|wd|phrase|code)|pwd|secret(?!ar)|api[_-]?key|access[_-]?key|private[_-]?key"
    r"|auth(?:orization)?[_-]?(?:code|token|key)|authorization|credential|cookie"
    r"|bearer|refresh[_-]?token|(?<![a-z])token(?![a-z])"
)
_NAME = re.compile(_WORDS, re.IGNORECASE)
# A count of tokens is not a token.
_COUNT = re.compile(r"tokens?[_-]?(?:count|limit|budget|details|usage)|tokens$", re.IGNORECASE)

_FORMS = (
    re.compile(
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.S
    ),
    # user:password@ in a URL: only the password
    re.compile(r"(?<=://)(?P<keep>[^\s:@/]*:)[^\s@/]+(?=@)"),
    re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"),  # a JSON Web Token
    re.compile(
        r"\b(?:sk|pk|rk)[-_](?:[A-Za-z]+[-_])*[A-Za-z0-9]{16,}"
    ),  # OpenAI, Anthropic, Stripe
    re.compile(r"\bsk-[\w-]{20,}"),
    re.compile(r"\bAIza[\w-]{30,}"),  # Google
    re.compile(r"\bya29\.[\w-]{20,}"),
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),  # AWS
    re.compile(r"\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}"),
    re.compile(r"\bglpat-[\w-]{16,}"),
    re.compile(r"\bxox[abeoprs]-[\w-]{10,}"),  # Slack
    re.compile(r"\bhf_[A-Za-z0-9]{20,}"),
    re.compile(r"(?P<keep>\b(?:Bearer|Basic) )[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE),
    # password: hunter2, "api_key"="…", token=…
    re.compile(
        rf"(?P<keep>(?:{_WORDS})[\"']?\s*(?:[:=]|\bis\b)\s*[\"']?)[^\s\"',;&}}]{{4,}}",
        re.IGNORECASE,
    ),
)


def redact(value: Any) -> Any:
    """Return a JSON value with its credentials masked; objects and lists are copied."""
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, Mapping):
        return {
            name: _masked(item) if is_secret_name(str(name)) else redact(item)
            for name, item in value.items()
        }
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [redact(item) for item in value]
    return value


def redact_text(text: str) -> str:
    """Return a text with what looks like a credential masked."""
    for form in _FORMS:
        text = form.sub(lambda match: (match.groupdict().get("keep") or "") + MASK, text)
    return text


def is_token_cache(name: str) -> bool:
    """Return whether a key of the state holds tokens of ADK's tools, which are never shown."""
    return name.endswith(_CACHE_SUFFIX)


def is_secret_name(name: str) -> bool:
    """Return whether a field of this name holds a credential, such as `api_key`, `authToken`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return bool(_NAME.search(spaced)) and not _COUNT.search(spaced)


def _masked(value: Any) -> Any:
    """Mask every text and number in a value. Empty values stay empty."""
    if isinstance(value, Mapping):
        return {name: _masked(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_masked(item) for item in value]
    return value if value is None or isinstance(value, bool) or value == "" else MASK


def redact_event(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event with its credentials masked, and without ADK's internal metadata."""
    masked: dict[str, Any] = redact(event)
    for name in ("custom_metadata", "customMetadata"):
        if isinstance(metadata := masked.get(name), dict):
            masked[name] = {k: v for k, v in metadata.items() if not k.startswith(ADK_INTERNAL)}
    for part in content_parts(masked.get("content")):
        for kind, content in (("function_call", "args"), ("function_response", "response")):
            value = get_object(part, kind)
            if value.get("name") == CREDENTIAL_REQUEST and isinstance(value, dict):
                value[content] = _masked(value.get(content))
    return masked
