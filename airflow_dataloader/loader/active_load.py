"""One load under way: its configuration and its tools, as the building blocks of a strategy see them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sqlalchemy import Engine as ControlEngine

from airflow_dataloader.control.lease import Started
from airflow_dataloader.core.commit import Commit, app_id, loader_mark
from airflow_dataloader.core.config import LoadConfig
from airflow_dataloader.core.facts import Facts, notes_that_fit
from airflow_dataloader.core.load_columns import Stamp
from airflow_dataloader.core.names import TargetName
from airflow_dataloader.core.schema_change import SchemaChange
from airflow_dataloader.core.strategy import COMPARES_WHOLE_ROWS
from airflow_dataloader.loader.engines.protocol import Target
from airflow_dataloader.loader.keeper import LeaseKeeper
from airflow_dataloader.loader.observer import Moment, Observer
from airflow_dataloader.loader.reader import Reader
from airflow_dataloader.loader.stage_names import stage_name


@dataclass(kw_only=True)
class ActiveLoad(Reader):
    """What a load works with beside what it reads with, and what is filled in as it goes on."""

    control: ControlEngine
    keeper: LeaseKeeper
    observer: Observer

    #: The load that was claimed; a repair moves its watermark on.
    started: Started
    #: Tells the source's table or view from another of its name; None: nobody can say.
    relation_identity: str | None = None
    #: Target's names of the columns that a new target is clustered by.
    cluster_by: tuple[str, ...] = ()
    #: What becomes of the target's columns; nothing until decided.
    schema: SchemaChange = field(default_factory=lambda: SchemaChange(after={}))
    #: What its writes put into the load columns.
    stamp: Stamp = field(default_factory=dict)

    @property
    def config(self) -> LoadConfig:
        """The configuration frozen at the claim."""
        return self.started.config

    @property
    def app_id(self) -> str:
        """Name of the row as a writer at its target."""
        return app_id(self.started.installation, self.started.config_id)

    @property
    def stage_name(self) -> TargetName:
        """The load's own staging table, beside the target."""
        return stage_name(
            self.config.target, self.started.installation, self.started.metadata_id, self.started.nonce
        )

    @property
    def starts_over(self) -> bool:
        """Whether nothing that the target holds stays: it is new or empty, or ``load_full`` asks."""
        return self.config.load_full or self.target is None or not self.target.filled

    @property
    def key_spellings(self) -> dict[str, str]:
        """How each text column that identifies a row is spelled, by the column's name without case.

        These are the key's, or all without one: whole rows may be compared, if not by this load, then by one
        of another strategy. Other types are the same however they are spelled.
        """
        return self._spellings(whole=not self.config.primary_key)

    def _spellings(self, *, whole: bool) -> dict[str, str]:
        """Return them as they are in a key, or in rows that are compared as a whole."""
        key = {name.casefold() for name in self.config.primary_key}
        both = zip(self.described, self.columns, strict=True)
        return {
            planned.name.casefold(): self.dialect.key_spelling(column, whole=whole)
            for column, planned in both
            if (not key or column.name.casefold() in key) and planned.type == "string"
        }

    def respelled(self, table: Target | None) -> dict[str, str]:
        """Return the columns of which the table may hold values under other texts, and their spelling then.

        A column that a commit does not name was not there, or was no text. Where there is no key and whole
        rows are not compared either, texts may become others.
        """
        if not self.config.primary_key and self.config.strategy not in COMPARES_WHOLE_ROWS:
            return {}
        now, keeps = self.key_spellings, self.dialect.keeps_texts
        other: dict[str, str] = {}
        for entry in () if table is None else table.origins:
            before = self._spellings_of(entry.commit.facts).items()
            other = {name: then for name, then in before if not keeps(then, now.get(name, then))} | other
        return other

    def _spellings_of(self, facts: Facts) -> dict[str, str]:
        """Return how a commit with these facts has spelled its columns, by the column's name without case."""
        said = {name.casefold(): then for name, then in facts.spellings.items()}
        if facts.watermark_hash in {None, self.config.watermark_hash}:
            return said
        # A column that is of the key now, and was not then, was written as all others are.
        return self._spellings(whole=True) | said

    def commit(self, step: int, facts: Facts) -> Commit:
        """Return the identity of write number ``step``, with these facts and those that each commit has."""
        keeps = self.config.keeps_older_days and not self.starts_over
        # Days that stay hold their keys as they were, whatever the window's are.
        older = self.respelled(self.target) if keeps else {}
        return Commit(
            app_id=self.app_id,
            epoch=self.started.epoch,
            step=step,
            metadata_id=self.started.metadata_id,
            facts=replace(
                facts,
                content_hash=self.config.content_hash,
                watermark_hash=self.config.watermark_hash,
                strategy=str(self.config.strategy),
                load_full=self.config.load_full,
                loader=loader_mark(self.started.nonce),
                spellings=self.key_spellings | older,
                relation_identity=self.relation_identity,
                values_replaced=self.replaced is not None,
                notes=notes_that_fit(self.journal.receipt.notes),
            ),
        )

    def reached(self, moment: Moment) -> None:
        """Tell the observer, then make sure that the row is still ours."""
        self.observer.reached(self.config, moment)
        self.keeper.check()
