/** A browser to look at the pages with. */
import { existsSync, readFileSync } from "node:fs";
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
  if (await page.evaluate("window.axe === undefined"))
    await page.evaluate(`${axe.source}; undefined`);
  const found = await page.evaluate(
    `axe.run({ resultTypes: ["violations"] }).then(({ violations }) => violations
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

/**
 * Looks at a page and lets nothing pass: no word in the console, nothing serious of axe, nothing
 * cut off, no request to anybody but its server.
 */
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
  const { origin, host } = new URL(path);
  page.on("request", (request) => {
    const to = new URL(request.url());
    if (to.origin !== origin && to.host !== host && to.protocol !== "blob:") said.push(to.href);
  });
  await page.goto(path);
  await inside(page);
  await soundLook(page);
  expect(said).toEqual([]);
  await page.close();
}

/** Where to go within a page, and what is there when it shows what it is there to show. */
export type Stop = readonly [link: string, ready: (page: Page) => Promise<void>];

/** Goes from link to link and looks at each before it leaves; at the last one, `visitPage` looks. */
export async function walk(page: Page, stops: readonly Stop[]): Promise<void> {
  for (const [at, [link, ready]] of stops.entries()) {
    if (at > 0) await soundLook(page);
    await page.evaluate(`location.hash = ${JSON.stringify(`#/${link}`)}`);
    await ready(page);
  }
}

/** Nothing serious for axe, nothing cut off at the right. */
async function soundLook(page: Page): Promise<void> {
  expect(await axeFindings(page), page.url()).toEqual([]);
  const fits = await page.evaluate("document.documentElement.scrollWidth <= innerWidth");
  expect(fits, `${page.url()}: nothing is cut off at the right`).toBe(true);
}

/**
 * What a panel of that title leaves as CSV: numbers, not what is shown of them. By keyboard: where
 * panels come, one may move between a pointer's going down and up, and no click is made.
 */
export async function csvOf(
  page: Page,
  title: string | RegExp,
): Promise<readonly (readonly string[])[]> {
  const panel = page.locator(".panel", {
    has: page.getByRole("heading", { name: title, exact: true }),
  });
  const coming = page.waitForEvent("download");
  await panel.last().getByRole("button", { name: "CSV" }).press("Enter");
  const text = readFileSync(await (await coming).path(), "utf8");
  return text
    .trim()
    .split("\n")
    .map((line) => line.split(","));
}

/** Users who ask, read a stream and think a little, until the end; returns what ends them. */
export function keepAsking(url: string, users: number): () => void {
  let over = false;
  const ask = async (seat: number): Promise<void> => {
    for (let turn = 0; !over; turn++) {
      const prompt = `${"One day ".repeat(1 + ((seat + turn) % 3) * 9)} ${seat} ${turn}`;
      const response = await fetch(`${url}/v1/completions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ prompt, max_tokens: 48, stream: true, ignore_eos: true }),
      }).catch(() => undefined); // the server has ended
      await response?.text().catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
  };
  for (let seat = 0; seat < users; seat++) void ask(seat);
  return () => {
    over = true;
  };
}
