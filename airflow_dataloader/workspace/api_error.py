"""Errors as the Databricks REST API answers them."""

from __future__ import annotations


class ApiError(Exception):
    """Becomes ``{"error_code": …, "message": …}`` with its HTTP status."""

    def __init__(self, status: int, error_code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.error_code = error_code
        self.message = message


def invalid(message: str) -> ApiError:
    """Return the error of a request that cannot be understood."""
    return ApiError(400, "INVALID_PARAMETER_VALUE", message)


def no_run(run_id: int) -> ApiError:
    """Return the error of a run that does not exist, which Databricks answers with 400."""
    return invalid(f"Run {run_id} does not exist.")
