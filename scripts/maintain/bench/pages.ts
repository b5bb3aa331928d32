/**
 * The pages' own speed in Debian's Chromium, software-rendered, at 1,280 × 800:
 *
 *     home       largest contentful paint with the processor slowed fourfold
 *     columns    a profile of --spans spans by columns, file chosen to timeline drawn
 *     chrome     the same spans as a Chrome trace
 *     frames     panning and zooming over all of it: median and worst frame
 *     sweep      300 points, files chosen to charts drawn
 *     worker     a Pareto of 27 points in the page's worker, against Node in the same run
 *
 *     npm run build && npx tsx scripts/maintain/bench/pages.ts [--spans 1000000]
 *
 * Wants a machine that nobody else uses.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { pino } from "pino";
import { type Browser, chromium, type Page } from "playwright-core";
import { ColumnBuilder } from "../../../device/columns.ts";
import { writeSpanFile } from "../../../device/span-file.ts";
import { parseSettings } from "../../../server/config.ts";
import { serve } from "../../../server/main.ts";
import { INFERENCEX } from "../../commands/sweep/protocol.ts";
import { ModelShelf, virtualPoint } from "../../commands/sweep/virtual-point.ts";

const { values } = parseArgs({ options: { spans: { type: "string", default: "1000000" } } });
const SPANS = Number(values.spans);
const LANES = ["tensor", "vector", "scalar", "dma", "cc"];

const say = (name: string, text: string): void =>
  void process.stdout.write(`${name.padEnd(9)} ${text}\n`);
const ms = (value: number): string => `${value.toFixed(0)} ms`;

function columnsFile(path: string): void {
  const builder = new ColumnBuilder({ shared: true });
  eachSpan((lane, name, start, duration) =>
    builder.add("core", lane, { start, duration, name, args: { bytes: 4096 } }),
  );
  const about = { title: "bench", note: "made", duration: SPANS * 20, settings: {} };
  const { args } = builder;
  writeFileSync(path, writeSpanFile({ about, columns: builder.columns(), args }));
}

function chromeFile(path: string): void {
  const lines: string[] = [];
  eachSpan((lane, name, start, duration) => {
    const times = `"ts":${start / 1000},"dur":${duration / 1000}`;
    const tid = LANES.indexOf(lane);
    lines.push(`{"ph":"X","pid":1,"tid":${tid},"name":"${name}",${times},"args":{"bytes":4096}}`);
  });
  writeFileSync(path, `{"traceEvents":[\n${lines.join(",\n")}\n]}`);
}

function eachSpan(
  take: (lane: string, name: string, start: number, duration: number) => void,
): void {
  for (let span = 0; span < SPANS; span++) {
    const lane = LANES[span % LANES.length] ?? "tensor";
    take(lane, `op ${span % 37}`, Math.floor(span / LANES.length) * 100, 40 + (span % 50));
  }
}

async function home(browser: Browser, url: string): Promise<void> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  const debug = await page.context().newCDPSession(page);
  await debug.send("Emulation.setCPUThrottlingRate", { rate: 4 });
  await page.addInitScript(
    "new PerformanceObserver((list) => { for (const its of list.getEntries()) window.painted = its.startTime; }).observe({ type: 'largest-contentful-paint', buffered: true })",
  );
  await page.goto(url);
  await page.waitForTimeout(3000);
  say("home", `largest contentful paint ${ms(Number(await page.evaluate("window.painted")))}`);
  await page.close();
}

async function opening(page: Page, name: string, file: string): Promise<void> {
  const began = performance.now();
  await page.getByLabel("Open a profile").setInputFiles(file);
  const sign = new RegExp(`Timeline of ${SPANS} spans`);
  await page.getByRole("img", { name: sign }).waitFor({ timeout: 120_000 });
  await page.evaluate(
    "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))",
  );
  say(name, `${SPANS} spans in ${ms(performance.now() - began)}`);
}

/** Turns the wheel each frame; the page's own frame times. */
async function frames(page: Page): Promise<void> {
  const times = (await page.evaluate(`new Promise((done) => {
    const canvas = document.querySelector(".timeline canvas");
    const times = []; let last = performance.now(); let count = 0;
    const box = canvas.getBoundingClientRect();
    const step = () => {
      const now = performance.now(); times.push(now - last); last = now;
      if (++count > 240) return done(times.slice(1));
      const zoom = count % 120 < 60 ? -60 : 60;
      const at = { clientX: box.left + 600, clientY: box.top + 60, bubbles: true, cancelable: true };
      canvas.dispatchEvent(new WheelEvent("wheel", { ...at, deltaY: count % 2 ? zoom : 0, deltaX: count % 2 ? 0 : 40 }));
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  })`)) as number[]; // what the script above makes
  const sorted = [...times].sort((a, b) => a - b);
  const median = sorted[sorted.length >> 1] ?? 0;
  const drawn = await page.locator(".timeline canvas").getAttribute("data-drawn");
  say(
    "frames",
    `median ${(1000 / median).toFixed(0)} frames/s, worst ${ms(sorted.at(-1) ?? 0)}, ${drawn} marks in the last`,
  );
}

async function manyPoints(page: Page, folder: string): Promise<void> {
  const shelf = new ModelShelf();
  const workload = { ...INFERENCEX, inputLen: 64, outputLen: 16, seed: 0, requestsPerUser: 2 };
  const { point } = await virtualPoint(specOf(4, 2, [64, 16]), workload, 2, shelf);
  const points = Array.from({ length: 300 }, (_, index) => ({
    ...point,
    identity: { ...point.identity, tensorParallel: `TP ${1 + Math.floor(index / 30)}` },
    concurrency: 1 + (index % 30),
  }));
  const file = join(folder, "points.json");
  writeFileSync(file, JSON.stringify({ points }));
  const began = performance.now();
  await page.getByLabel("Open files").setInputFiles(file);
  await page.getByRole("img", { name: /^Users per system/ }).waitFor();
  say("sweep", `300 points in ${ms(performance.now() - began)}`);
}

function specOf(tensorParallel: number, users: number, [input, output]: readonly [number, number]) {
  return {
    model: "meta-llama/Llama-3.1-8B-Instruct",
    device: "trainium",
    instance: "trn2.3xlarge",
    tensorParallel,
    dataParallel: 1,
    expertParallel: false,
    kernels: "",
    own: {},
    maxNumSeqs: 2 ** Math.ceil(Math.log2(users)),
    maxModelLen: Math.ceil((input + output) / 128) * 128,
    prefixCaching: false,
    seed: 0,
  } as const;
}

async function worker(page: Page, url: string): Promise<void> {
  const shelf = new ModelShelf();
  const users = [1, 2, 4, 8, 16, 32, 64, 128, 256];
  const began = performance.now();
  for (const ranks of [4, 2, 1]) {
    for (const count of users) {
      const workload = { ...INFERENCEX, inputLen: 256, outputLen: 128, seed: 0 };
      await virtualPoint(specOf(ranks, count, [256, 128]), workload, count, shelf);
    }
  }
  const node = performance.now() - began;
  await page.goto(`${url}/#/home`);
  await page.goto(`${url}/#/curves?tp=4,2,1&users=1..256&shape=256/128&run=1&view=points`);
  const told = page.getByText(/^27 of 27 points/);
  await told.waitFor({ timeout: 300_000 });
  const own = 1000 * Number(/, ([\d.,]+) s/.exec((await told.textContent()) ?? "")?.[1]);
  say("worker", `27 points in ${ms(own)}, Node ${ms(node)}: ${(own / node).toFixed(2)}×`);
}

const folder = mkdtempSync(join(tmpdir(), "pages-"));
columnsFile(join(folder, "b.spans"));
chromeFile(join(folder, "b.json"));
const { settings } = parseSettings(["--device", "cpu", "--port", "0"]);
const server = await serve(settings, pino({ level: "silent" }));
const browser = await chromium.launch({
  executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});
await home(browser, server.url);
const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
await page.goto(`${server.url}/#/explorer`);
await page.getByRole("img", { name: /^Timeline of/ }).waitFor();
await opening(page, "columns", join(folder, "b.spans"));
await frames(page);
await page.reload();
await page.getByRole("img", { name: /^Timeline of/ }).waitFor();
await opening(page, "chrome", join(folder, "b.json"));
await page.goto(`${server.url}/#/curves`);
await manyPoints(page, folder);
await worker(page, server.url);
await browser.close();
await server.stop(0);
rmSync(folder, { recursive: true });
process.exit(0);
