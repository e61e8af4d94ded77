"""The model class ``pmind`` and tasks for lm-evaluation-harness."""

NOT_INSTALLED = "lm-evaluation-harness is not installed; pip install 'pmind[harness]'"
