# Copyright: (c) 2026, The linuxnet.netns developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How Sphinx builds the site, from the copy that `make site` makes."""

from __future__ import annotations

project = "linuxnet.netns"
author = copyright = "The linuxnet.netns developers"  # noqa: A001  # Sphinx calls it so
html_title = "linuxnet.netns"
html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
root_doc = "docs/index"
extensions = ["myst_parser", "sphinx_antsibull_ext"]
# Links to the headings of other pages, as GitHub makes them.
myst_heading_anchors = 3
highlight_language = "none"
# The module pages name labels of Ansible's own documentation, which is not there offline.
suppress_warnings = ["ref.ref"]
