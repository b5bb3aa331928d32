/** What is hostile is text, or is refused in words: names, prompts, ids, links and files. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ColumnBuilder } from "../../device/columns.ts";
import { writeSpanFile } from "../../device/span-file.ts";
import { csvOf, LOOKS, NO_BROWSER, openBrowser, visitPage } from "../support/pages.ts";
import { startServer, type TestServer } from "../support/server.ts";

const EVIL = `<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>`;
const DESK = LOOKS[0];

/** A point as a sweep writes it, with whatever is told otherwise. */
function pointWith(own: object): object {
  const quantiles = { mean: 9, median: 9, std: 1, p90: 9, p95: 9, p99: 9, p999: 9 };
  return {
    ...{ identity: { model: "m", server: "s", workload: "w" }, series: "s", model: "m" },
    ...{ simulated: true, framework: "f", instance: "i", tensorParallel: 4, kernels: "" },
    ...{ precision: "bf16", speculation: "", chips: 1, inputLen: 9, outputLen: 9, concurrency: 2 },
    ...{ requests: 4, warmups: 0, seed: 0, duration: 1, completed: 4, failed: 0 },
    ...{ requestThroughput: 4, inputThroughput: 36, outputThroughput: 36, totalThroughput: 72 },
    latency: { ttft: quantiles, tpot: quantiles, itl: quantiles, e2el: quantiles },
    ...{ meanUserRate: 18, preemptions: 0, notices: [] },
    ...own,
  };
}

const text = (value: unknown): string => JSON.stringify(value);
const point = (own: object): string => text({ points: [pointWith(own), pointWith({})] });
const deep = (levels: number, open: string, close: string): string =>
  open.repeat(levels) + close.repeat(levels);

const SWEEPS: Readonly<Record<string, string>> = {
  "script.json": point({ series: EVIL, model: EVIL, identity: { model: EVIL, [EVIL]: EVIL } }),
  "notices.json": point({ notices: [{ code: EVIL, text: EVIL }] }),
  "proto.json": `{"__proto__":{"points":[1]},"constructor":{"prototype":{}},"points":[${text(pointWith({})).replace('"identity":{', '"identity":{"__proto__":"x","constructor":"y","toString":"z",')}]}`,
  "gigantic.json": point({
    ...{ concurrency: 1e308, outputThroughput: 1e308, inputLen: 1e300, meanUserRate: 1e-320 },
    duration: 1e308,
  }),
  "endless.json": point({ outputThroughput: 7 }).replace(":7,", ":1e999,"),
  "negative.json": point({ concurrency: -3, outputThroughput: -1, meanUserRate: -1 }),
  "nothing.json": point({ outputThroughput: Number.NaN, concurrency: 3, duration: null }),
  "hollow.json": text({ points: [{ identity: {}, latency: {}, concurrency: 1 }] }),
  "nulls.json": text({ points: [{ identity: null, latency: null, concurrency: 1 }] }),
  "kinds.json": point({
    ...{ series: 7, model: ["x"], notices: "none", identity: { model: 3 }, latency: { ttft: [] } },
    parts: "x",
  }),
  "parts.json": point({
    parts: { [EVIL]: Number.MAX_VALUE, constructor: 3 },
    bands: EVIL,
    trust: EVIL,
  }),
  "deep.json": deep(20_000, "[", "]"),
  "nested.json": deep(20_000, '{"points":', "}").replace("}", "1}"),
  "cut.json": point({}).slice(0, 300),
  "empty.json": "",
  "binary.json": "\u0000\u0001\ufffd{",
};

const trace = (events: readonly object[], more: object = {}): string =>
  text({ traceEvents: events, ...more });
const span = (own: object): object => ({
  ph: "X",
  pid: 1,
  tid: 1,
  name: "a",
  ts: 1,
  dur: 2,
  ...own,
});

const PROFILES: Readonly<Record<string, string | Uint8Array>> = {
  "script.trace.json": trace([span({ name: EVIL, args: { [EVIL]: EVIL } })], {
    otherData: { profile_name: EVIL },
  }),
  "proto.trace.json": trace([
    span({ name: "__proto__", args: { constructor: 1 } }),
    span({ name: "constructor", pid: "toString", tid: "__proto__" }),
  ]).replace('"constructor":1', '"__proto__":1'),
  "gigantic.trace.json": trace([span({ ts: 1e300, dur: 1e300 }), span({ ts: -1e300 })]),
  "endless.trace.json": trace([span({ dur: 77 })]).replace(":77", ":1e999"),
  "kinds.trace.json": trace([span({ name: 7, ts: "x", dur: null, args: 3 }), span({})]),
  "deep.trace.json": `{"traceEvents":${deep(20_000, "[", "]")}}`,
  "args.trace.json": `{"traceEvents":[{"ph":"X","pid":1,"tid":1,"name":"a","ts":1,"dur":2,"args":${deep(5000, '{"a":', "}").replace("}", "1}")}}]}`,
  "cut.trace.json": trace([span({})]).slice(0, 60),
  "summary.json": text({ [EVIL]: { total_time: 77, mfu_estimated_percent: EVIL } }).replace(
    ":77",
    ":1e999",
  ),
  "proto.summary.json": '{"__proto__":{"total_time":1},"constructor":{"total_time":2}}',
  "script.spans": spanFile(EVIL, EVIL, 2),
  "totals.spans": spanFile("a", "b", 2, { parts: 7, memory: EVIL, advice: null, belief: [] }),
  "hollow.spans": spanFile("a", "b", 2, {}),
  "gigantic.spans": spanFile("a", "b", 1e300),
  "cut.spans": spanFile("a", "b", 2).subarray(0, 40),
  "zeros.spans": new Uint8Array(4096),
  "head.spans": Uint8Array.from(spanFile("a", "b", 2), (byte, at) =>
    at > 8 && at < 14 ? 255 : byte,
  ),
};

function spanFile(name: string, title: string, duration: number, totals?: object): Uint8Array {
  const builder = new ColumnBuilder({ shared: true });
  builder.add(name, name, { start: 1, duration, name, args: { [name]: name } });
  const settings = { [name]: name, constructor: "x" };
  const about = { title, note: name, duration, settings, ...(totals && { totals }) };
  return writeSpanFile({ about, columns: builder.columns(), args: builder.args });
}

describe.skipIf(NO_BROWSER !== undefined)(`hostile input ${NO_BROWSER ?? ""}`, () => {
  let browser: Browser;
  let server: TestServer;
  beforeAll(async () => {
    browser = await openBrowser();
    const argv = ["models/tiny/llama", "--device", "cpu", "--served-model-name", EVIL];
    server = await startServer(argv);
  });
  afterAll(async () => {
    await browser.close();
    await server.stop(0);
  });

  async function harmless(page: Page): Promise<void> {
    expect(await page.evaluate("window.hacked")).toBeUndefined();
    expect(await page.locator("main img, main script").count()).toBe(0);
    expect(await page.evaluate("({}).polluted ?? ({}).points ?? ({}).total_time")).toBeUndefined();
  }

  it("in names, prompts, ids and links is text", async () => {
    await server.post("/v1/completions", { prompt: EVIL, max_tokens: 3 }, { "x-request-id": EVIL });
    await visitPage(browser, `${server.url}/`, DESK, async (page) => {
      await page.getByRole("heading", { level: 1, name: EVIL }).waitFor();
      await page.getByRole("textbox", { name: "Message" }).first().fill(EVIL);
      await page.getByRole("spinbutton", { name: "Max tokens" }).fill("6");
      await page.getByRole("button", { name: "Send" }).click();
      await page.getByText(/^ended: /).waitFor();
      await harmless(page);
      await page.evaluate(`location.hash = "#/live"`);
      await page.getByRole("heading", { level: 1, name: EVIL }).waitFor();
      await page.evaluate(`location.hash = "#/requests"`);
      await page.getByRole("searchbox", { name: "Id" }).fill("<script>");
      await page.locator("tbody button.link").first().click();
      await page.getByRole("heading", { name: EVIL }).waitFor();
      const [, row = []] = await csvOf(page, "Newest first");
      expect(row.join(",")).toContain("<img src=x");
      await harmless(page);
      for (const link of [
        "constructor",
        "__proto__?x=1",
        "requests?request=1e4x&by=constructor&zoom=__proto__&outcome=toString",
        `requests?find=${encodeURIComponent(EVIL)}&route=${encodeURIComponent(EVIL)}`,
        "live?engine=-1e9",
      ]) {
        await page.evaluate(`location.hash = ${text(`#/${link}`)}`);
        await page.locator("main h1").first().waitFor();
        await harmless(page);
      }
    });
  });

  it("in sweeps is shown as text or refused by the file's name", async () => {
    await visitPage(browser, `${server.url}/#/curves`, DESK, async (page) => {
      const broken = faults(page);
      const choose = page.getByLabel("Open files");
      const anew = page.getByRole("button", { name: "Begin anew" });
      for (const [name, content] of Object.entries(SWEEPS)) {
        broken.at = name;
        await choose.setInputFiles({ name, mimeType: "", buffer: Buffer.from(content) });
        await anew.or(page.getByRole("alert").getByText(name)).first().waitFor();
        for (const tab of ["Latency", "Pareto", "Compare", "Points", "Overview"]) {
          await page.getByRole("tab", { name: tab }).click();
        }
        await harmless(page);
        if ((await anew.count()) > 0) await anew.click();
      }
      expect(broken.said).toEqual([]);
    });
  });

  it("in profiles is shown as text or refused by the file's name", async () => {
    await visitPage(browser, `${server.url}/#/explorer?view=timeline`, DESK, async (page) => {
      const broken = faults(page);
      const choose = page.getByLabel("Open a profile");
      for (const [name, content] of Object.entries(PROFILES)) {
        broken.at = name;
        await page.getByRole("status").waitFor({ state: "hidden" });
        await choose.setInputFiles({ name, mimeType: "", buffer: Buffer.from(content) });
        await page.waitForTimeout(60);
        await page.getByRole("status").waitFor({ state: "hidden" });
        for (const tab of [
          "Summary",
          "Hierarchy",
          "Operations",
          "Roofline",
          "Memory",
          "Timeline",
        ]) {
          await page.getByRole("tab", { name: tab }).click();
        }
        await harmless(page);
      }
      expect(broken.said).toEqual([]);
    });
  });
});

/** Errors of a page, with what it was shown when they came. */
function faults(page: Page): { at: string; readonly said: string[] } {
  const all = { at: "", said: [] as string[] };
  page.on("pageerror", ({ message }) => all.said.push(`${all.at}: ${message}`));
  return all;
}
