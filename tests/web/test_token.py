"""The token: who has it is let in, everywhere but at the probes; and whatever becomes of its file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from httpx_sse import connect_sse

from tests.support.etcd import Etcd
from tests.support.service import Service, command

from .conftest import six_pairs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import StartService
    from tests.support import site

TOKEN = "d4Uh/8+zQ:k"
WRONG = "d4Uh/8+zQ:K"
OPEN = ("/healthz", "/readyz")
GUARDED = (
    "/",
    "/page/page.js",
    "/page/page.css",
    "/api/v1/resources",
    "/api/v1/resources/ha_interface/{id}",
    "/api/v1/summary",
    "/api/v1/map",
    "/api/v1/history",
    "/probe/ha_interface/{id}",
    "/metrics",
    "/openapi.json",
)
NOTHING_THERE = ("/nothing", "/api/v1/resources/ha_interface/nobody", "/healthz/", "/readyz/../metrics")


class Guarded:
    """A service with a token, and a client that has none of its own."""

    def __init__(self, service: Service, client: httpx.Client, pairs: list[site.HaInterface]) -> None:
        self.service, self.client = service, client
        self.paths = [path.format(id=pairs[0].id) for path in GUARDED]

    def get(self, path: str, token: str | None = None) -> httpx.Response:
        return self.client.get(path, headers={} if token is None else {"Authorization": f"Bearer {token}"})


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """One for all tests that only ask; its log, written at the least level, is looked through in the end."""
    file = tmp_path_factory.mktemp("token") / "token"
    file.write_text(f"{TOKEN}\n")
    etcd = Etcd()
    try:
        pairs = six_pairs(etcd.start())
        service = Service(etcd.url, "--http-token-file", str(file), "--log-level", "debug")
        try:
            with httpx.Client(base_url=service.wait_ready().url, timeout=10.0) as client:
                yield Guarded(service, client, pairs)
            service.stop()
            assert "HTTP on" in service.last_log
            for said in (TOKEN, WRONG):
                assert said not in service.last_log
        finally:
            service.kill()
    finally:
        etcd.close()


def refused(answer: httpx.Response) -> bool:
    """Tell whether this is a whole 401: words, what may be given, and nothing else."""
    if answer.status_code != 401:
        return False
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"error": "the token is missing or wrong"}
    assert answer.headers.get_list("www-authenticate") == [
        "Bearer",
        'Basic realm="ha_monitor: any user, the token as password"',
    ]
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    return True


def test_without_the_token_there_are_the_probes_and_nothing_else(guarded: Guarded) -> None:
    assert [guarded.get(path).status_code for path in OPEN] == [200, 200]
    for path in (*guarded.paths, *NOTHING_THERE):
        assert refused(guarded.get(path)), path
        assert refused(guarded.get(path, WRONG)), path


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
def test_no_method_is_a_way_around_it(guarded: Guarded, method: str) -> None:
    for path in guarded.paths:
        assert guarded.client.request(method, path).status_code == 401, path


def test_events_are_for_who_has_the_token(guarded: Guarded) -> None:
    with connect_sse(guarded.client, "GET", "/api/v1/events") as source:
        source.response.read()
        assert refused(source.response)
    with connect_sse(guarded.client, "GET", "/api/v1/events", headers={"Authorization": f"Bearer {TOKEN}"}) as source:
        assert source.response.status_code == 200
        assert next(source.iter_sse()).event == "snapshot"


def test_with_the_token_everything_is_answered_and_no_answer_tells_it(guarded: Guarded) -> None:
    for path in (*OPEN, *guarded.paths):
        answer = guarded.get(path, TOKEN)
        assert answer.status_code == 200, path
        assert TOKEN not in answer.text + str(answer.headers), path
    for path in NOTHING_THERE[:2]:
        assert guarded.get(path, TOKEN).status_code == 404


def test_the_description_says_what_the_token_is_asked_for(guarded: Guarded) -> None:
    document = guarded.get("/openapi.json", TOKEN).json()
    assert document["components"]["securitySchemes"] == {"token": {"type": "http", "scheme": "bearer"}}
    operations = {path: described["get"] for path, described in document["paths"].items()}
    assert {path for path, operation in operations.items() if "security" not in operation} == set(OPEN)
    assert {path for path, operation in operations.items() if "401" not in operation["responses"]} == set(OPEN)


@pytest.mark.parametrize("user", ["operator", "", "üser"])
def test_whatever_the_user_the_token_is_the_password(guarded: Guarded, user: str) -> None:
    path = "/api/v1/summary"
    assert guarded.client.get(path, auth=(user, TOKEN)).status_code == 200
    for password in (WRONG, "", f"{TOKEN} ", TOKEN[:-1], f"{TOKEN}x"):
        assert refused(guarded.client.get(path, auth=(user, password))), password
    assert refused(guarded.client.get(path, auth=(TOKEN, user))), "as the user it opens nothing"


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer  {TOKEN}", 200),
        (f"BEARER {TOKEN}", 200),
        (TOKEN, 401),
        (f"Token {TOKEN}", 401),
        (f"Bearer{TOKEN}", 401),
        (f"Bearer {TOKEN} {TOKEN}", 401),
        ("Bearer", 401),
        ("", 401),
        ("Basic", 401),
        ("Basic !!!", 401),
        ("Basic YQ", 401),
        ("Basic YQ==", 401),
        (b"Basic \xe9", 401),
        (b"Bearer \xe9\xff", 401),
    ],
)
def test_a_header_in_any_form_is_the_token_or_is_refused(guarded: Guarded, given: str | bytes, status: int) -> None:
    header = given.encode() if isinstance(given, str) else given
    answer = guarded.client.get("/api/v1/summary", headers={b"Authorization": header})
    assert answer.status_code == status
    assert refused(answer) == (status == 401)


def test_the_token_may_have_letters_of_any_language(etcd: Etcd, service: StartService, tmp_path: Path) -> None:
    token = "schlüssel-鍵-à"  # its last byte is a space in latin-1, which is what headers are read as
    file = tmp_path / "token"
    file.write_text(f"{token}\n", encoding="utf-8")
    url = f"{service('--http-token-file', str(file)).url}/api/v1/summary"
    assert httpx.get(url, headers={b"Authorization": f"Bearer {token}".encode()}).status_code == 200
    assert httpx.get(url, auth=("", token)).status_code == 200
    assert refused(httpx.get(url, headers={b"Authorization": f"Bearer {token}"[:-1].encode()}))
    assert refused(httpx.get(url, auth=("", token[:-1])))


def test_what_becomes_of_the_file_counts_from_the_next_request_on(
    etcd: Etcd, service: StartService, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("first")
    running = service("--http-token-file", str(file), "--log-level", "debug")
    tokens = ("first", "second", "third", "")

    def lets_in() -> list[str]:
        """Give the tokens that open it; asked on one connection, as a browser does."""
        return [token for token in tokens if not refused(client.get("/metrics", auth=("", token)))]

    with httpx.Client(base_url=running.url, timeout=10.0) as client:
        assert lets_in() == ["first"]
        file.write_text("  second\r\n")
        assert lets_in() == ["second"]
        file.write_text("")
        assert lets_in() == []
        file.write_text(" \n\t\n")
        assert lets_in() == []
        file.unlink()
        assert lets_in() == []
        assert refused(client.get("/metrics")), "nor is anybody let in without one"
        assert [client.get(path).status_code for path in OPEN] == [200, 200]
        file.mkdir()
        assert lets_in() == []
        file.rmdir()
        tmp_path.joinpath("next").write_text("third")
        tmp_path.joinpath("next").rename(file)
        assert lets_in() == ["third"]
    running.stop()
    assert not [token for token in filter(None, tokens) if token in running.last_log]


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "No such file"), (b"", "no token in it"), (b" \n\t\r\n", "no token in it"), (..., "Is a directory")],
    ids=["missing", "empty", "blank", "folder"],
)
def test_a_file_without_a_token_is_told_at_the_start(tmp_path: Path, content: object, words: str) -> None:
    file = tmp_path / "token"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is ...:
        file.mkdir()
    ended = command("run", "--etcd", "http://127.0.0.1:1", "--listen", "127.0.0.1:0", "--http-token-file", str(file))
    assert ended.returncode == 2
    said = ended.stderr.decode()
    assert f"--http-token-file {file}: " in said
    assert words in said
    assert "Traceback" not in said


def test_a_file_that_may_not_be_read_is_told_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("secret-of-somebody-else")
    file.chmod(0)
    try:
        file.read_text()
    except PermissionError:
        pass
    else:
        pytest.skip("root may read everything")
    ended = command("run", "--etcd", "http://127.0.0.1:1", "--listen", "127.0.0.1:0", "--http-token-file", str(file))
    assert ended.returncode == 2
    assert f"--http-token-file {file}: Permission denied" in ended.stderr.decode()
