"""What every test shares: one thread for torch, and property tests that do not depend on the machine's mood."""

import os

import hypothesis
import torch

torch.set_num_threads(1)  # the tests run in several processes

hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "default")
