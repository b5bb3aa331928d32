/** Figures on the pages are those of the routes: Home, Live, Requests. Curves and Explorer: pages.test.ts. */
import { readFileSync } from "node:fs";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { csvOf, type Look, NO_BROWSER, openBrowser, visitPage } from "../support/pages.ts";
import { startServer, type TestServer } from "../support/server.ts";

const DARK: Look = ["dark", 1280, 800];
const PHONE: Look = ["light", 360, 780];

/** Texts of the timeline that its right edge cuts; its letters are 6.6 wide. */
function cutTexts(svg: string): readonly string[] {
  const width = Number(/ width="(\d+)"/.exec(svg)?.[1]);
  const texts = [...svg.matchAll(/<text x="([\d.]+)"[^>]*>([^<]*)</g)];
  expect(texts.length).toBeGreaterThan(3);
  return texts.flatMap(([, x, text = ""]) =>
    Number(x) + 6.6 * text.length > width + 1 ? [text] : [],
  );
}

describe.skipIf(NO_BROWSER !== undefined)(`figures on the pages ${NO_BROWSER ?? ""}`, () => {
  let browser: Browser;
  let server: TestServer;
  beforeAll(async () => {
    browser = await openBrowser();
    server = await startServer([
      ...["Qwen/Qwen3-0.6B", "--device", "trainium", "--tensor-parallel-size", "2"],
      ...[
        "--enable-per-request-metrics",
        "--num-gpu-blocks-override",
        "40",
        "--max-model-len",
        "1024",
      ],
    ]);
  });
  afterAll(async () => {
    await browser.close();
    await server.stop(0);
  });

  const ask = (prompt: string, tokens: number) =>
    server.post("/v1/completions", { prompt, max_tokens: tokens, ignore_eos: true });

  it("home's receipt and counts are those of the request's life", async () => {
    await visitPage(browser, `${server.url}/`, DARK, async (page) => {
      await page.getByRole("spinbutton", { name: "Max tokens" }).fill("9");
      await page.getByRole("button", { name: "Send" }).click();
      await page.getByText(/^ended: /).waitFor();
      const { json } = await server.get("/requests?limit=1");
      const [told] = json.requests;
      const { json: life } = await server.get(`/requests/${told.number}`);
      const { total } = life.completions[0].receipt_ns.end_to_end;
      const receipt = page.getByRole("region", { name: "Where the time went" });
      const shown = (await receipt.locator(".note").innerText()).replaceAll(",", "");
      const ms = Number.parseFloat(shown) * (/^[\d.]+ s/.test(shown) ? 1000 : 1);
      expect(ms / (total / 1e6)).toBeCloseTo(1, 2);
      const counts = page.locator(".figures > div", { hasText: "Tokens in / out" }).locator("dd");
      expect(await counts.innerText()).toBe(`${told.prompt_tokens} / ${told.output_tokens}`);
    });
  });

  it("live's curve, blocks and batch are those of /metrics and of the feed", async () => {
    await visitPage(browser, `${server.url}/#/live`, DARK, async (page) => {
      await page.getByText("connected", { exact: true }).waitFor();
      const shared = "The quick brown fox jumps over the lazy dog. ".repeat(12);
      // However far apart they come, they end one by one.
      await Promise.all([1, 2, 3].map((user) => ask(`${shared}${user}`, 20 + 20 * user)));
      const { text } = await server.get("/metrics");
      const series = (name: string): ReadonlyMap<string, number> =>
        new Map(
          [
            ...text.matchAll(
              new RegExp(`^trainyard:${name}\\{.*concurrency="(\\d+)".*\\} (\\S+)$`, "gm"),
            ),
          ]
            .map(([, concurrency = "", value]) => [concurrency, Number(value)] as const)
            .filter(([, value]) => value > 0),
        );
      const tokens = series("output_tokens_by_concurrency_total");
      const seconds = series("busy_seconds_by_concurrency_total");
      expect(seconds.size).toBeGreaterThan(1);
      const rates = [...seconds]
        .sort(([a], [b]) => Number(a) - Number(b))
        .map(([concurrency, busy]) => (tokens.get(concurrency) ?? 0) / busy);
      const count = async (kind: string): Promise<number> =>
        Number((await page.locator(`[data-kind=${kind}]`).innerText()).replaceAll(",", ""));
      // Idle: nothing moves any more. A curve comes each second, and a map of the blocks with it.
      await expect.poll(() => count("held")).toBe(0);
      await expect.poll(() => count("cached")).toBeGreaterThan(3);
      const curve = async (): Promise<readonly number[]> =>
        (await csvOf(page, "Output tokens/s against concurrency"))
          .filter(([line]) => line === "since the start")
          .map(([, , rate]) => Number(rate));
      await expect
        .poll(curve, { interval: 200 })
        .toEqual(rates.map((rate) => expect.closeTo(rate, 6)));
      const [held, sharedBlocks, cached, blank] = [
        await count("held"),
        await count("shared"),
        await count("cached"),
        await count("blank"),
      ];
      const blocks = Number(/num_gpu_blocks="(\d+)"/.exec(text)?.[1]);
      expect(blocks).toBe(40);
      expect(held + sharedBlocks + cached + blank).toBe(blocks);
      expect(held + sharedBlocks).toBe(0);
      const cells = await csvOf(page, "KV blocks");
      expect(cells.filter(([, kind]) => kind === "cached")).toHaveLength(cached);
      const batch = await csvOf(page, "Batch of the last step");
      expect(batch.find(([name]) => name === "answers")?.slice(1, 3)).toEqual(["1", "1"]);
      const out = await csvOf(page, "Output tokens/s");
      const drawn = out.slice(1).reduce((sum, [, rate]) => sum + Number(rate) / 2, 0);
      expect(drawn).toBe(40 + 60 + 80);
    });
  });

  it("drawings leave as SVG with their own colours, and as PNG", async () => {
    const DRAWINGS = [
      ["live", "KV blocks", 4],
      ["live", "Output tokens/s", 3],
      ["requests", "Time to first token of each request", 4],
      ["explorer?view=timeline", "Device timeline", 100],
      ["explorer?view=hierarchy", "Hierarchy", 10],
      ["explorer?view=memory", /^HBM of one/, 3],
    ] as const;
    await visitPage(browser, `${server.url}/#/live`, DARK, async (page) => {
      await page.getByText("connected", { exact: true }).waitFor();
      await ask("One day", 12);
      await page.getByText(/^now, /).waitFor();
      await page.evaluate(`
        globalThis.made = [];
        globalThis.gone = new Set();
        const { createObjectURL: make, revokeObjectURL: revoke } = URL;
        URL.createObjectURL = (blob) => made[made.push(make(blob)) - 1];
        URL.revokeObjectURL = (address) => revoke(gone.add(address) && address);`);
      for (const [link, title, shapes] of DRAWINGS) {
        await page.evaluate(`location.hash = ${JSON.stringify(`#/${link}`)}`);
        const panel = page.locator(".panel", { has: page.getByRole("heading", { name: title }) });
        const save = async (kind: string): Promise<Buffer> => {
          const coming = page.waitForEvent("download");
          await panel.last().getByRole("button", { name: kind }).press("Enter");
          return readFileSync(await (await coming).path());
        };
        let svg = "";
        const drawn = async (): Promise<number> => {
          svg = (await save("SVG")).toString();
          return svg.match(/<(?:rect|path|circle)/g)?.length ?? 0;
        };
        // What is priced first is drawn a while after the panel is there.
        await expect.poll(drawn, { timeout: 20_000 }).toBeGreaterThanOrEqual(shapes);
        expect(svg, `${title}`).toMatch(/^<svg [^>]*xmlns="http:\/\/www.w3.org\/2000\/svg"/);
        expect(svg).not.toMatch(/var\(|<script|href=/);
        expect(new Set(svg.match(/fill="[^"]+"/g)).size).toBeGreaterThan(1);
        if (title === "Device timeline") expect(cutTexts(svg)).toEqual([]);
        expect((await save("PNG")).subarray(1, 4).toString()).toBe("PNG");
        // Some browsers read a file a while after the click.
        expect(await page.evaluate("gone.has(made.at(-1))")).toBe(false);
      }
    });
  });

  it("live is paused and scrubbed by keyboard, and says so", async () => {
    await visitPage(browser, `${server.url}/#/live`, PHONE, async (page) => {
      await page.getByText("connected", { exact: true }).waitFor();
      await ask("One day", 30);
      await page.getByText(/^now, /).waitFor();
      await page.getByRole("button", { name: "Pause" }).click();
      await page.getByRole("slider").focus();
      await page.keyboard.press("Home");
      await page.getByText(/ s ago/).waitFor();
      await page.getByRole("button", { name: "Follow" }).click();
      await page.getByText(/^now, /).waitFor();
    });
  });

  it("requests are those of the route; the slowest first; one's receipt is its answer's", async () => {
    const answers = await Promise.all([20, 12, 6].map((tokens) => ask(`Say ${tokens}`, tokens)));
    const { json: gone } = await server.post("/v1/completions", { prompt: "a", max_tokens: 1e9 });
    expect(gone.error).toBeDefined();
    const { json } = await server.get("/requests");
    const url = `${server.url}/#/requests?by=e2e_ms&order=slowest`;
    await visitPage(browser, url, DARK, async (page) => {
      await page.getByRole("heading", { name: "Slowest by whole" }).waitFor();
      const [titles = [], ...rows] = await csvOf(page, "Slowest by whole");
      const column = (title: string): readonly number[] =>
        rows.map((row) => Number.parseFloat(row[titles.indexOf(title)] ?? ""));
      const told = [...json.requests].sort((a, b) => (b.e2e_ms ?? -1) - (a.e2e_ms ?? -1));
      const figures = {
        "#": "number",
        prompt: "prompt_tokens",
        output: "output_tokens",
        "queue ms": "queue_ms",
        "TTFT ms": "ttft_ms",
        "ITL ms": "itl_ms",
        "stall ms": "stall_ms",
        "whole ms": "e2e_ms",
      };
      for (const [title, key] of Object.entries(figures)) {
        expect(column(title), title).toEqual(told.map((one) => one[key] ?? Number.NaN));
      }
      const answer = answers[0]?.json;
      await page.getByRole("searchbox", { name: "Id" }).fill(answer.id);
      await page.locator("tbody button.link").click();
      for (const [title, key] of [
        ["To the first token", "time_to_first_token"],
        ["To the last token", "end_to_end"],
      ] as const) {
        await page.getByRole("heading", { name: title }).waitFor();
        const [, ...causes] = await csvOf(page, title);
        const { total, ...expected } = answer.metrics.receipt_ns[key];
        expect(Object.fromEntries(causes.map(([name, ns]) => [name, Number(ns)]))).toEqual({
          ...expected,
          "in all": total,
        });
        const sum = causes.slice(0, -1).reduce((all, [, ns]) => all + Number(ns), 0);
        expect(sum).toBe(total);
      }
      await page.getByRole("button", { name: "first token" }).click();
      expect(page.url()).toContain("zoom=first");
      await page.getByRole("button", { name: "Close" }).click();
      await page.getByRole("searchbox", { name: "Id" }).fill("");
      await page.getByLabel("At least, ms").fill("1e9");
      await page.getByText(/^0 of \d+/).waitFor();
    });
  });
});
