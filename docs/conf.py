"""The site: `make docs`. Pages are Markdown (MyST), the tutorial is executed scripts, the API comes from docstrings."""

import importlib.metadata
import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # for plain_docstrings and site_style
if "PULLBACK_DATA" in os.environ:  # as seen from the repository: this file and the scripts run in other folders
    os.environ["PULLBACK_DATA"] = str((HERE.parent / os.environ["PULLBACK_DATA"]).resolve())

project = "pullback"
author = "the pullback authors"
copyright = author
release = importlib.metadata.version("pullback")
version = ".".join(release.split(".")[:2])

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "plain_docstrings",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "sphinx-mathjax-offline",  # equations also without a network
]
exclude_patterns = ["_build", "tutorial/**/*.ipynb", "tutorial/**/*.py", "tutorial/**/*.json"]

myst_enable_extensions = ["dollarmath", "colon_fence", "deflist", "attrs_inline"]
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 88
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True  # fields of a dataclass are described once, in its docstring
napoleon_attr_annotations = False  # their types stand in the signature

sphinx_gallery_conf = {
    "examples_dirs": str(HERE.parent / "tutorial"),
    "gallery_dirs": "tutorial",
    "filename_pattern": r"/\d\d_",
    "within_subsection_order": "FileNameSortKey",
    "reset_modules": ("matplotlib", "site_style.reset"),
    "image_srcset": ["2x"],
    "capture_repr": ("_repr_html_",),
    "remove_config_comments": True,
    "write_computation_times": False,
    "download_all_examples": True,
    "show_signature": False,
    "copyfile_regex": r"",
}

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_theme = "pydata_sphinx_theme"
html_title = "pullback"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = [("solutions.js", {"defer": "defer"})]
ALONE = ("install", "quickstart", "play", "faq", "recipes", "file_formats")  # nothing to list beside them
html_sidebars = {page: [] for page in ALONE}
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "header_links_before_dropdown": 7,
    "navigation_with_keys": True,
    "secondary_sidebar_items": ["page-toc"],
    "show_toc_level": 2,
    "footer_start": ["copyright"],
    "footer_end": [],
}
