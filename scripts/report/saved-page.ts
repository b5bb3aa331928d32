/**
 * The pages as one file that opens without a server: their script, their style and what they show,
 * under a policy that lets in that script, by its hash, and no network.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { projectPath } from "../../models/weights/project-files.ts";
import { PLOT_STYLE } from "../../server/ops/ui.ts";
import { escapeXml } from "./figure.ts";
import type { SavedState } from "./saved-state.ts";

const FOLDER = projectPath("dist", "server", "saved-page");

/** As `vite build server/web --mode saved` left them; a source tree without a build has none. */
export const canSavePages = (folder = FOLDER): boolean => existsSync(join(folder, "page.js"));

/** Throws where the pages are not built. */
export function savedPage(state: SavedState, folder = FOLDER): string {
  const script = readFileSync(join(folder, "page.js"), "utf8");
  const style = readFileSync(join(folder, "page.css"), "utf8");
  const icon = readFileSync(join(folder, "page.svg")).toString("base64");
  // What would end the element, or open a comment in it, stands in no script; nor in any style.
  if (/<\/(?:script|style)|<!--/i.test(script + style)) {
    throw new Error("The script of the pages cannot stand in a file.");
  }
  const policy = [
    "default-src 'none'",
    `script-src ${hashOf(script)}`,
    `style-src ${hashOf(style)} ${PLOT_STYLE}`,
    "img-src data: blob:",
    "font-src data:",
    "worker-src blob:",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="color-scheme" content="dark light"><meta name="referrer" content="no-referrer">
<title>${escapeXml(state.title)}</title><link rel="icon" href="data:image/svg+xml;base64,${icon}">
<style>${style}</style></head><body><div id="app"></div>
<noscript>This page needs JavaScript; the same figures are in the files beside it.</noscript>
<script type="application/json" id="saved">${dataText(state)}</script>
<script type="module">${script}</script></body></html>
`;
}

/** JSON in which no name of a model ends the element: every < is written by its number. */
function dataText(state: SavedState): string {
  return JSON.stringify(state).replaceAll("<", "\\u003c");
}

function hashOf(text: string): string {
  return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
}
