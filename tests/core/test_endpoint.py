"""Endpoints as text: which forms there are, and what each of them means to the channel."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ha_monitor.endpoint import authority, canonical, is_secure, server_name, socket_path, with_scheme

FORMS = [
    ("127.0.0.1:2379", "127.0.0.1:2379"),
    ("localhost", "localhost:2379"),
    ("etcd-1.example.com:2379/", "etcd-1.example.com:2379"),
    ("http://127.0.0.1:2379/", "http://127.0.0.1:2379"),
    ("HTTP://Etcd:1", "http://Etcd:1"),
    ("HttpS://etcd", "https://etcd:2379"),
    ("[::1]:2379", "[::1]:2379"),
    ("[::1]", "[::1]:2379"),
    ("http://[fe80::1%eth0]:1", "http://[fe80::1%eth0]:1"),
    ("unix:///run/etcd.sock", "unix:///run/etcd.sock"),
    ("UNIX:///run/etcd.sock", "unix:///run/etcd.sock"),
    ("unix:/run/etcd.sock", "unix:///run/etcd.sock"),
    ("unixs:etcd.sock", "unixs://etcd.sock"),
    ("unixs://localhost:2379", "unixs://localhost:2379"),
    ("unix://@etcd", "unix://@etcd"),
]


@pytest.mark.parametrize(("given", "expected"), FORMS)
def test_every_form_that_etcdctl_takes_has_one_canonical_form(given: str, expected: str) -> None:
    assert canonical(given) == expected
    assert canonical(expected) == expected


WRONG = [
    ("ftp://x", "'ftp://x' is not HOST:PORT, http://HOST:PORT"),
    ("dns:///x", "is not HOST:PORT"),
    ("://x", "is not HOST:PORT"),
    ("http://", "names no host"),
    ("http:///", "names no host"),
    ("", "names no host"),
    ("http://x/etcd", "has a path"),
    ("x:1/etcd", "has a path"),
    ("x y:1", "names no host"),
    ("::1:2379", "IPv6 in brackets"),
    ("http://[::1:2379", "names no host"),
    ("x:0", "from 1 to 65535"),
    ("x:65536", "from 0 to 65535"),
    ("x:http", "port 'http'"),
    ("http://x:1?a=b", "port '1?a=b'"),
    ("http://me:pw@x:1", "etcd-user"),
    ("unix://", "names no socket"),
    ("unix:", "names no socket"),
    ("unix://@", "names no socket"),
    ("unix:///run/", "names no socket"),
    ("unix:///a\0b", "names no socket"),
    ("unix:///\ud800", "characters"),
    (f"unix:///{'a' * 107}", "107 bytes"),
]


@pytest.mark.parametrize(("given", "words"), WRONG)
def test_anything_else_is_refused_in_words(given: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        canonical(given)


@given(st.text(max_size=40) | st.tuples(st.sampled_from(["http://", "unix:", "a:"]), st.text(max_size=20)).map("".join))
@example("http://\udcff")
@example("unix:\udcff")
def test_whatever_the_text_is_it_is_refused_in_words_or_has_one_meaning(text: str) -> None:
    try:
        found = canonical(text)
    except ValueError:
        return
    assert canonical(found) == found
    for tls in (True, False):
        url = with_scheme(found, tls=tls)
        assert canonical(url) == url
        assert with_scheme(url, tls=tls) == url
        assert authority(url).isascii()
        assert authority(url)
        assert server_name(url)


@pytest.mark.parametrize(
    ("given", "plain", "secure"),
    [
        ("etcd:1", "http://etcd:1", "https://etcd:1"),
        ("unix:///s", "unix:///s", "unixs:///s"),
        ("unixs:///s", "unixs:///s", "unixs:///s"),
        ("http://etcd:1", "http://etcd:1", "http://etcd:1"),
        ("https://etcd:1", "https://etcd:1", "https://etcd:1"),
    ],
)
def test_what_leaves_tls_open_has_it_where_it_is_configured(given: str, plain: str, secure: str) -> None:
    assert with_scheme(given, tls=False) == plain
    assert with_scheme(given, tls=True) == secure
    assert is_secure(secure) == secure.startswith(("https", "unixs"))


# The names are those of Test_interpret in etcd's client/v3/internal/endpoint/endpoint_test.go.
@pytest.mark.parametrize(
    ("url", "path", "header", "name"),
    [
        ("http://localhost:8080", None, "localhost:8080", "localhost"),
        ("https://[::1]:8080", None, "[::1]:8080", "::1"),
        ("unix://127.0.0.1:8080", "127.0.0.1:8080", "127.0.0.1:8080", "127.0.0.1"),
        ("unixs:///tmp/abc", "/tmp/abc", "abc", "abc"),
        ("unixs:///tmp/abc:1234", "/tmp/abc:1234", "abc:1234", "abc"),
        ("unix://a b#1", "a b#1", "a%20b%231", "a b#1"),
        ("unix://@etcd", "\0etcd", "etcd", "etcd"),
    ],
)
def test_a_socket_is_called_by_the_name_of_its_file(url: str, path: str | None, header: str, name: str) -> None:
    assert socket_path(url) == path
    assert authority(url) == header
    assert server_name(url) == name
