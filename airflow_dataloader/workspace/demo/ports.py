"""The ports that the demo listens on, all of 127.0.0.1."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass

from airflow_dataloader.workspace.listening import listen


@dataclass(frozen=True, kw_only=True)
class Ports:
    """0 is any free one."""

    page: int = 0
    workspace: int = 0
    postgres: int = 0

    def chosen(self) -> Ports:
        """Return ports that were free a moment ago; raise ConfigurationError naming one that is taken."""
        with ExitStack() as stack:
            page, workspace, postgres = (
                stack.enter_context(closing(listen(port))).getsockname()[1]
                for port in (self.page, self.workspace, self.postgres)
            )
        return Ports(page=page, workspace=workspace, postgres=postgres)
