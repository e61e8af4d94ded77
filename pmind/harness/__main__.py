"""The harness's command line, with the model ``pmind``: ``python -m pmind.harness --model pmind …``.

Releases of the harness up to 0.4.13 do not look for models in other packages. Later ones do, and
find this one by its entry point, so that their own command ``lm_eval`` knows it.
"""

from pmind.errors import PmindError
from pmind.harness import NOT_INSTALLED
from pmind.stage import fail

if __name__ == "__main__":
    try:
        from lm_eval.__main__ import cli_evaluate

        import pmind.harness.model  # noqa: F401  registers the model

        cli_evaluate()
    except ModuleNotFoundError as error:
        fail(f"{NOT_INSTALLED} ({error})")
    except PmindError as error:
        fail(str(error))
