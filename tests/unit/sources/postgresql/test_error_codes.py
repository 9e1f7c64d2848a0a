"""Codes and words of PostgreSQL's errors."""

from __future__ import annotations

import pytest

from airflow_dataloader.exceptions import SourceRefused, SourceUnavailable
from airflow_dataloader.sources.postgresql.error_codes import code_of, is_translated, meaning_of


def test_a_code_wins_over_words_unless_it_is_vague() -> None:
    assert code_of("42P01", "permission denied for table t") == "42P01"
    assert code_of("0A000", 'cross-database references are not implemented: "a.b.c"') == "CATALOG"
    assert code_of(None, "permission denied for table t") == "42501"
    assert code_of(None, "no such words") is None


@pytest.mark.parametrize(
    "words",
    [
        "FATAL:  Passwort-Authentifizierung für Benutzer »x« fehlgeschlagen",
        "FATAL:  Passwort-Authentifizierung f\ufffdr Benutzer \ufffdx\ufffd fehlgeschlagen",
        "FATAL:  Passwort-Authentifizierung f?r Benutzer >>x<< fehlgeschlagen",
        "FATAL:  la autentificación password falló para el usuario «x»",
        "FATAL:  authentification par mot de passe échouée pour l'utilisateur  « x »",
        'FATALE:  autenticazione con password fallita per l\'utente "x"',
        'FATAL:  ユーザー"x"のパスワード認証に失敗しました',
        'ფატალური:  პაროლით ავთენტიფიკაცია მომხმარებლისთვის "x" ვერ მოხერხდა',
        '치명적오류:  사용자 "x"의 password 인증을 실패했습니다',
        'ВАЖНО:  пользователь "x" не прошёл проверку подлинности (по паролю)',
        'FATALT:  Lösenordsautentisering misslyckades för användare "x"',
        'ФАТАЛЬНО:  користувач "x" не пройшов автентифікацію за допомогою пароля',
        '致命错误:  用户 "x" Password 认证失败',
        "FATAL:  kein pg_hba.conf-Eintrag für Host »10.0.0.1«",
        'FATAL:  pg_hba.conf rejects connection for host "10.0.0.1", user "x"',
    ],
)
def test_a_refused_login_is_no_passing_trouble_in_any_of_the_server_s_languages(words: str) -> None:
    said = f'connection to server at "10.0.0.1", port 5432 failed: {words}'
    assert meaning_of(code_of(None, said)) is meaning_of("28P01")


def test_a_vague_code_is_told_by_the_server_s_routine_in_any_language() -> None:
    assert code_of("42501", "in any language", "check_enable_rls") == "RLS"
    assert code_of("55000", "in any language", "ExecOpenScanRelation") == "UNPOPULATED"
    assert code_of("42704", "in any language", "ImportSnapshot") == "55000"
    assert code_of("42501", "in any language", "aclcheck_error") == "42501"


def test_words_of_a_server_s_language_are_no_pooler_s() -> None:
    assert is_translated("FATAL:  es sind bereits zu viele Verbindungen geöffnet", ())
    assert is_translated("FATAL:  Datenbank >>x<< existiert nicht", ())
    assert is_translated("?????:  ???? ?????? x ?? ??????????", ())
    assert is_translated("FATALE:  in qualsiasi lingua", ())
    assert not is_translated("FATAL:  unsupported startup parameter: options", ())
    proxy = "FATAL:  Feature not supported: RDS Proxy currently doesn’t support command-line options."
    assert not is_translated(proxy, ())
    assert not is_translated('FATAL:  no settings for "müller" at "läden"', ("müller", "läden"))


@pytest.mark.parametrize(
    "words",
    [
        "FATAL: terminating connection due to conflict with recovery",
        "ERROR: canceling statement due to conflict with recovery",
        "ERROR: deadlock detected",
        "ERROR: out of shared memory",
        'ERROR: could not resize shared memory segment "/PostgreSQL.1" to 8388608 bytes',
        'ERROR: could not write to file "base/pgsql_tmp/pgsql_tmp1.0": No space left on device',
        "FATAL: query_wait_timeout",
    ],
)
def test_what_passes_is_known_by_its_words_too(words: str) -> None:
    assert meaning_of(code_of(None, words)).kind is SourceUnavailable


@pytest.mark.parametrize("code", ["08003", "40P01", "53200", "57P02", "58030", "XX000"])
def test_a_class_of_codes_has_one_meaning(code: str) -> None:
    assert meaning_of(code).kind is SourceUnavailable


@pytest.mark.parametrize("code", [None, "22012", "P0001", "42883", "25P01"])
def test_what_is_not_known_to_pass_is_not_tried_again(code: str | None) -> None:
    assert meaning_of(code).kind is SourceRefused
