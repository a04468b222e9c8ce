"""An etcd with access control, and what its administrator does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aetcd import rpc

from tests.faults.operate import channel
from tests.support.etcd import CALL

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.etcd import Etcd

ROOT, USER, ROLE = "root", "monitor", "monitoring"


class Guarded:
    """An etcd with access control, and what its administrator does."""

    def __init__(self, etcd: Etcd, password_file: Path) -> None:
        self.etcd = etcd
        self.password_file = password_file

    def enable(self) -> None:
        password = self.password_file.read_text().strip()
        for user, secret in ((ROOT, "root-pw"), (USER, password)):
            self._do("UserAdd", rpc.AuthUserAddRequest(name=user, password=secret))
        for role in (ROOT, ROLE):
            self._do("RoleAdd", rpc.AuthRoleAddRequest(name=role))
        self._do("UserGrantRole", rpc.AuthUserGrantRoleRequest(user=ROOT, role=ROOT))
        self.grant()
        self._do("UserGrantRole", rpc.AuthUserGrantRoleRequest(user=USER, role=ROLE))
        self.enable_again()

    def grant(self) -> None:
        permission = rpc.Permission(permType=rpc.Permission.Type.READWRITE, key=b"/", range_end=b"0")
        self._do("RoleGrantPermission", rpc.AuthRoleGrantPermissionRequest(name=ROLE, perm=permission))

    def grant_all_but(self, prefix: bytes) -> None:
        """Take away the right to write under a prefix: it may be read, as all else may be read and written."""
        self.revoke()
        kinds, end = rpc.Permission.Type, prefix[:-1] + bytes([prefix[-1] + 1])
        for kind, first, last in (
            (kinds.READWRITE, b"/", prefix), (kinds.READ, prefix, end), (kinds.READWRITE, end, b"0"),
        ):  # fmt: skip
            permission = rpc.Permission(permType=kind, key=first, range_end=last)
            self._do("RoleGrantPermission", rpc.AuthRoleGrantPermissionRequest(name=ROLE, perm=permission))

    def grant_reading(self, *prefixes: str) -> None:
        """Take away all rights but to read these."""
        self.revoke()
        for prefix in map(str.encode, prefixes):
            end = prefix[:-1] + bytes([prefix[-1] + 1])
            permission = rpc.Permission(permType=rpc.Permission.Type.READ, key=prefix, range_end=end)
            self._do("RoleGrantPermission", rpc.AuthRoleGrantPermissionRequest(name=ROLE, perm=permission))

    def revoke(self) -> None:
        request = rpc.AuthRoleRevokePermissionRequest(role=ROLE, key=b"/", range_end=b"0")
        self._do("RoleRevokePermission", request)

    def change_password(self, password: str) -> None:
        self._do("UserChangePassword", rpc.AuthUserChangePasswordRequest(name=USER, password=password))

    def enable_again(self) -> None:
        self._do("AuthEnable", rpc.AuthEnableRequest())
        self.etcd.user = (ROOT, "root-pw")

    def disable(self) -> None:
        self._do("AuthDisable", rpc.AuthDisableRequest())
        self.etcd.user = None

    def add_somebody(self, name: str) -> None:
        """Add another user with a role: any such change makes every JWT older than the store of users and roles."""
        self._do("UserAdd", rpc.AuthUserAddRequest(name=name, password=name))
        self._do("UserGrantRole", rpc.AuthUserGrantRoleRequest(user=name, role=ROLE))

    def revoke_tokens(self) -> None:
        """Have every simple token of our user end, as a change of its password does."""
        self.change_password(self.password_file.read_text().strip())

    def _do(self, method: str, request: object) -> None:
        with channel(self.etcd) as opened:
            getattr(rpc.AuthStub(opened), method)(request, timeout=CALL, metadata=self.etcd.metadata)
        self.etcd.forget_token()

    @property
    def options(self) -> tuple[str, ...]:
        return "--etcd-user", USER, "--etcd-password-file", str(self.password_file)
