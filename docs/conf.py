"""How is the book built?  ``make docs`` runs Sphinx with this file."""

from __future__ import annotations

from importlib.metadata import version as installed_version

project = "minijax"
author = "the minijax contributors"
release = installed_version("minijax-iree")

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
nb_execution_mode = "off"
