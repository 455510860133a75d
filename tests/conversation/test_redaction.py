"""Credentials are masked by the name of their field and by their form; other text stays."""

from typing import Any

import pytest

from adksess.conversation.redaction import is_secret_name, redact, redact_event, redact_text


@pytest.mark.parametrize(
    "name",
    [
        *("password", "db_password", "apiKey", "api-key", "clientSecret", "access_token", "token"),
        *("authorization", "Cookie", "private_key", "credentials", "auth_code"),
    ],
)
def test_names_of_credentials(name: str) -> None:
    assert is_secret_name(name)
    assert redact({name: "x" * 5, "deep": [{name: {"a": 1}}]}) == {
        name: "***",
        "deep": [{name: {"a": "***"}}],
    }


@pytest.mark.parametrize(
    "name",
    [
        *("prompt_token_count", "totalTokenCount", "max_output_tokens", "author", "passage", "key"),
        *("secretary", "tokens", "compass", "text"),
    ],
)
def test_names_of_other_fields(name: str) -> None:
    assert redact({name: 5}) == {name: 5}


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("redis://ada:hunter22@db:6379/0", "hunter22"),
        ("use sk-proj-abcdefghijklmnop1234 now", "sk-proj-abcdefghijklmnop1234"),
        ("AIzaSyA1234567890abcdefghijklmnopqrstuv", "AIzaSy"),
        ("AKIAIOSFODNN7EXAMPLE", "AKIA"),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "ghp_"),
        ("xoxb-1234567890-abcdef", "xoxb"),
        ("Authorization: Bearer abc.def-ghi_jkl", "abc.def"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "eyJ"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----", "MIIE"),
        ("my password is hunter22", "hunter22"),
        ('{"api_key": "abcd1234"}', "abcd1234"),
        ("PASSWORD=swordfish;", "swordfish"),
    ],
)
def test_forms_of_credentials(text: str, secret: str) -> None:
    assert secret not in redact_text(text)
    assert "***" in redact_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "Hello, what is the weather?",
        "redis://localhost:6379/0",
        "The secret of success",
        "It uses 1,200 tokens per request",
        "日本語のテキスト",
        "https://example.com/a?b=c",
    ],
)
def test_other_text_stays(text: str) -> None:
    assert redact_text(text) == text


def test_an_event_keeps_its_form_and_loses_what_adk_hides() -> None:
    request: dict[str, Any] = {
        "function_call": {
            "id": "c1",
            "name": "adk_request_credential",
            "args": {"auth_config": {"anything": "at all"}},
        }
    }
    event = {
        "id": "e1",
        "author": "helper",
        "timestamp": 5.0,
        "usage_metadata": {"total_token_count": 7},
        "custom_metadata": {"__adk_internal_x": "y", "mine": 1},
        "content": {"parts": [request, {"text": "password: hunter22"}]},
    }
    masked = redact_event(event)
    assert masked == event | {
        "custom_metadata": {"mine": 1},
        "content": {
            "parts": [
                {
                    "function_call": {
                        "id": "c1",
                        "name": "adk_request_credential",
                        "args": {"auth_config": {"anything": "***"}},
                    }
                },
                {"text": "password: ***"},
            ]
        },
    }
    assert request["function_call"]["args"]["auth_config"] == {"anything": "at all"}
