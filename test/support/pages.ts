/** A browser to look at the pages with. */
import { existsSync } from "node:fs";
import axe from "axe-core";
import { type Browser, chromium, type Page } from "playwright-core";
import { expect } from "vitest";

/** Debian's; absent: tests of pages skip. */
export const CHROMIUM = "/usr/bin/chromium";
export const NO_BROWSER = existsSync(CHROMIUM) ? undefined : `needs ${CHROMIUM}`;

export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** Serious and critical findings, a line each. */
export async function axeFindings(page: Page): Promise<readonly string[]> {
  // Through the debugger: the page's own policy lets no inline script in.
  const found = await page.evaluate(
    `${axe.source}; axe.run().then(({ violations }) => violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, nodes }) => id + ": " + nodes.slice(0, 3).map(({ html }) => html.slice(0, 200)).join(" | ")))`,
  );
  return found as readonly string[]; // what the line above makes
}

/** Dark and light, on a desk and on a phone. */
export const LOOKS = [
  ["dark", 1280, 800],
  ["light", 1280, 800],
  ["dark", 360, 780],
  ["light", 360, 780],
] as const;

export type Look = (typeof LOOKS)[number];

/** Looks at a page and lets nothing pass: no word in the console, nothing serious of axe, nothing cut off. */
export async function visitPage(
  browser: Browser,
  path: string,
  [colorScheme, width, height]: Look,
  inside: (page: Page) => Promise<void>,
): Promise<void> {
  const page = await browser.newPage({ viewport: { width, height }, colorScheme });
  const said: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") said.push(message.text());
  });
  page.on("pageerror", (error) => said.push(error.message));
  await page.goto(path);
  await inside(page);
  expect(await axeFindings(page)).toEqual([]);
  expect(
    await page.evaluate("document.documentElement.scrollWidth <= innerWidth"),
    "nothing is cut off at the right",
  ).toBe(true);
  expect(said).toEqual([]);
  await page.close();
}
