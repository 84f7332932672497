// Copyright: (c) 2026, The linuxnet.netns developers
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// The scripts of a browser, beside the libraries that the page loads before them.
import js from "@eslint/js";
import globals from "globals";

export default [
  js.configs.recommended,
  {
    languageOptions: {
      sourceType: "script",
      globals: { ...globals.browser, cytoscape: "readonly" },
    },
    rules: {
      eqeqeq: "error",
      "no-implied-eval": "error",
      "no-shadow": "error",
      "no-var": "error",
      "prefer-const": "error",
      strict: ["error", "global"],
    },
  },
  {
    files: ["**/page.js"],
    languageOptions: { globals: { openFleet: "readonly" } },
  },
];
