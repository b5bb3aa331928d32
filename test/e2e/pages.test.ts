/** The pages in a browser: no error in the console, nothing axe calls serious, and they work. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readSpanFile } from "../../device/span-file.ts";
import { CostModel } from "../../device/trainium/price/cost-model.ts";
import type { ProfileAbout } from "../../device/trainium/profile/profile.ts";
import { profileSteps } from "../../device/trainium/profile/steps.ts";
import { planFor } from "../../device/trainium/settings.ts";
import { opened } from "../../scripts/commands/open.ts";
import { run } from "../../scripts/commands/profile.ts";
import { run as runSweep } from "../../scripts/commands/sweep/main.ts";
import { INTERACTIVITY } from "../../scripts/report/point.ts";
import { pointsIn } from "../../scripts/report/read-points.ts";
import { catalogueModel } from "../support/catalogue.ts";
import {
  csvOf,
  LOOKS,
  type Look,
  NO_BROWSER,
  openBrowser,
  type Stop,
  visitPage,
  walk,
} from "../support/pages.ts";
import { startServer, type TestServer } from "../support/server.ts";

const DEVICES = {
  cpu: ["--device", "cpu"],
  trainium: [
    "meta-llama/Llama-3.1-8B-Instruct",
    ...["--device", "trainium", "--tensor-parallel-size", "4", "--enable-per-request-metrics"],
  ],
} as const;

describe.skipIf(NO_BROWSER !== undefined)(`pages ${NO_BROWSER ?? ""}`, () => {
  let browser: Browser;
  const servers = new Map<string, TestServer>();

  beforeAll(async () => {
    browser = await openBrowser();
    for (const [device, argv] of Object.entries(DEVICES)) {
      servers.set(device, await startServer(argv));
    }
  });
  afterAll(async () => {
    await browser.close();
    for (const server of servers.values()) await server.stop(0);
  });

  const visit = (path: string, look: Look, inside: (page: Page) => Promise<void>): Promise<void> =>
    visitPage(browser, path, look, inside);

  for (const [device, look] of [
    ["cpu", LOOKS[3]],
    ["trainium", LOOKS[0]],
  ] as const) {
    it(`home on ${device}, ${look.join(" ")}`, async () => {
      const server = servers.get(device);
      if (server === undefined) throw new Error(`${device} was not started`);
      const { json } = await server.get("/v1/models");
      await visit(`${server.url}/`, look, async (page) => {
        await page.getByRole("heading", { level: 1, name: json.data[0].id }).waitFor();
        await page.getByRole("spinbutton", { name: "Max tokens" }).fill("12");
        await page.getByRole("button", { name: "Send" }).click();
        await page.getByText(/^ended: /).waitFor();
        const answer = await page.locator(".answer").textContent();
        expect(answer?.length).toBeGreaterThan(10);
        const context = await page.locator("dd", { hasText: "tokens" }).first().textContent();
        expect(Number(context?.replaceAll(/\D/g, ""))).toBe(json.data[0].max_model_len);
      });
    });
  }

  const OSS = "model=openai/gpt-oss-120b&instance=trn2.48xlarge&tensorParallel=16&rows=4";
  const VIEWS: readonly Stop[] = (
    [
      ["summary", (page) => page.getByRole("heading", { name: "What would help" })],
      ["timeline", (page) => page.getByRole("img", { name: /Timeline of \d{3,} spans/ })],
      ["hierarchy", (page) => page.getByRole("button", { name: "self_attn" })],
      ["operations", (page) => page.getByRole("cell", { name: /^attention: / })],
      ["roofline", (page) => page.getByRole("img", { name: /^Roofline of one rank/ })],
      ["memory", (page) => page.getByRole("img", { name: /^Memory against users/ })],
      ["compare", (page) => page.getByRole("heading", { name: "Side by side" })],
    ] satisfies readonly (readonly [string, (page: Page) => Locator])[]
  ).map(([view, sign]) => [
    `explorer?${OSS}&layers=each&view=${view}`,
    async (page) => {
      if (view === "hierarchy") await page.getByRole("button", { name: "layers.0" }).click();
      await sign(page).first().waitFor();
    },
  ]);

  for (const look of [LOOKS[0], LOOKS[3]]) {
    it(`explorer, every view, ${look.join(" ")}`, async () => {
      const url = servers.get("trainium")?.url;
      await visit(`${url}/#/${VIEWS[0]?.[0]}`, look, (page) => walk(page, VIEWS));
    });
  }

  it("explorer's tabs are walked by keyboard", async () => {
    const url = servers.get("trainium")?.url;
    await visit(`${url}/#/explorer?view=summary`, LOOKS[0], async (page) => {
      await page.getByRole("tab", { name: "Summary" }).focus();
      await page.keyboard.press("ArrowRight");
      const selected = page.getByRole("tab", { selected: true });
      expect(await selected.textContent()).toBe("Timeline");
      await page.keyboard.press("End");
      expect(await selected.textContent()).toBe("Compare");
      await page.keyboard.press("ArrowRight");
      expect(await selected.textContent()).toBe("Summary");
      expect(page.url()).toContain("view=summary");
    });
  });

  it("explorer's figures are those of the command line, and its files open", async () => {
    const folder = mkdtempSync(join(tmpdir(), "profile-"));
    const argv = ["meta-llama/Llama-3.1-8B-Instruct", "--instance", "trn2.3xlarge", "--tp", "4"];
    await run([...argv, "--batch", "3", "--context", "777", "--out", join(folder, "p")]);
    const file = JSON.parse(readFileSync(join(folder, "p.summary.json"), "utf8"));
    const [summary] = Object.values(file) as Record<string, number>[];
    const { about } = readSpanFile(readFileSync(join(folder, "p.spans")));
    const { advice } = (about as ProfileAbout).totals ?? {};
    const url = servers.get("trainium")?.url;
    const figures = async (page: Page): Promise<void> => {
      await page.getByText("MFU", { exact: true }).waitFor();
      const facts = await page.locator(".facts").innerText();
      expect(facts).toContain(`${(100 * Number(summary?.["mbu_estimated_percent"])).toFixed(1)} %`);
      expect(facts).toContain(`${(Number(summary?.["total_time"]) * 1e3).toPrecision(3)} ms`);
    };
    await visit(`${url}/#/explorer?rows=3&context=777&view=summary`, LOOKS[0], async (page) => {
      await figures(page);
      const said = await page.locator(".advice").innerText();
      expect(advice?.length).toBeGreaterThan(0);
      for (const { text, gain } of advice ?? []) {
        expect(said).toContain(text);
        if (gain !== undefined) expect(said).toContain(`×${gain.tokens.toFixed(2)}`);
      }
    });
    await visit(`${url}/#/explorer?rows=64&view=summary`, LOOKS[0], async (page) => {
      const choose = page.getByLabel("Open a profile");
      await choose.setInputFiles(join(folder, "p.spans"));
      await page.getByRole("heading", { level: 1, name: /Llama-3.1-8B-Instruct on/ }).waitFor();
      await page
        .getByText(`${(Number(summary?.["total_time"]) * 1e3).toPrecision(3)} ms`)
        .first()
        .waitFor();
      await figures(page);
      await choose.setInputFiles(join(folder, "p.summary.json"));
      await page.getByText(/From p\.summary\.json, a summary/).waitFor();
      await figures(page);
      await choose.setInputFiles(join(folder, "p.trace.json"));
      await page.getByText(/From p\.trace\.json: simulated time/).waitFor();
      writeFileSync(
        join(folder, "cut.spans"),
        readFileSync(join(folder, "p.spans")).subarray(0, 900),
      );
      await choose.setInputFiles(join(folder, "cut.spans"));
      await page
        .getByRole("alert")
        .getByText(/^cut\.spans: The profile ends within/)
        .waitFor();
    });
    for (const [file, page] of [
      ["p.spans", "explorer"],
      ["p.trace.json", "explorer"],
    ] as const) {
      const { url: link, close } = await opened(join(folder, file), 0);
      expect(link).toContain(`/#/${page}?open=`);
      await visit(link, LOOKS[0], async (its) => {
        await its.getByRole("heading", { level: 1, name: /Llama-3.1-8B-Instruct on/ }).waitFor();
      });
      await close();
    }
    rmSync(folder, { recursive: true });
  });

  it("the talk's study is done by hand: find attention, mark its ends, switch kernels, read both", async () => {
    const url = servers.get("trainium")?.url;
    const ATTENTION = "flash-attention,fused-qkv,fused-attention";
    const link = "rows=1&context=4096&stack=nxd-inference&kernels=plain";
    const nanos = (kernels: string): number => {
      const plan = planFor({
        model: catalogueModel("meta-llama/Llama-3.1-8B-Instruct"),
        tensorParallel: 4,
        maxRows: 32,
        maxContext: 8192,
        own: {
          instance: "trn2.3xlarge",
          "serving-stack": "nxd-inference",
          "neuron-kernels": kernels,
        },
      });
      const shape = { rows: 1, context: 4096, steps: 1 };
      const [step] = profileSteps(plan, new CostModel(plan), shape).steps;
      return step?.spans.find(({ name }) => name === "self_attn")?.duration ?? Number.NaN;
    };
    const micros = (kernels: string): string =>
      `${Number((nanos(kernels) / 1000).toPrecision(4))} µs`;
    await visit(`${url}/#/explorer?${link}`, LOOKS[0], async (page) => {
      await page.getByRole("img", { name: /^Timeline of/ }).waitFor();
      await page.getByRole("searchbox", { name: "Find" }).fill("self_attn");
      const drawn = async (): Promise<number> =>
        Number(await page.locator(".timeline canvas").getAttribute("data-drawn"));
      await page.getByRole("button", { name: "Fit it" }).click();
      expect(await drawn()).toBeGreaterThan(0);
      expect(await drawn(), "marks a frame, bounded by pixels").toBeLessThan(12 * 1280);
      const between = page.locator(".measured");
      // By the pointer at its ends: within a pixel of what the span says.
      const canvas = page.locator(".timeline canvas");
      const box = await canvas.boundingBox();
      if (box === null) throw new Error("no canvas");
      const NAMES = 104;
      const room = box.width - NAMES;
      for (const share of [0.1 / 1.2, 1.1 / 1.2]) {
        await canvas.click({ position: { x: NAMES + share * room, y: 10 }, modifiers: ["Shift"] });
      }
      const byHand = Number.parseFloat((await between.textContent()) ?? "");
      expect(byHand / (nanos("plain") / 1000)).toBeCloseTo(1, 1);
      // Exactly, by its own ends.
      await page.getByRole("button", { name: "Mark its ends" }).click();
      expect(await between.textContent()).toBe(micros("plain"));
      await page.getByLabel("Kernels").selectOption(ATTENTION);
      await page
        .getByText(/kernels flash-attention/)
        .first()
        .waitFor();
      await page.getByRole("button", { name: "Mark its ends" }).click();
      await page.locator(".kept tbody tr").nth(2).waitFor();
      const rows = await page.locator(".kept tbody tr").allInnerTexts();
      expect(rows.at(-2)).toContain(micros("plain"));
      expect(rows.at(-1)).toContain(micros(ATTENTION));
    });
    expect(nanos("plain")).toBeGreaterThan(nanos(ATTENTION));
  });

  it("compares two profiles: the parts sum to the whole", async () => {
    const url = servers.get("trainium")?.url;
    const link = `explorer?${OSS}&view=compare&b.kernels=&b.set=hbm.bandwidth%3D0.95x`;
    await visit(`${url}/#/${link}`, LOOKS[0], async (page) => {
      await page.getByRole("heading", { name: "Side by side" }).waitFor();
      const otherwise = page.locator("section", {
        has: page.getByRole("heading", { name: "Set otherwise" }),
      });
      expect(await otherwise.last().innerText()).toContain("hbm.bandwidth=0.95x");
      const parts = page
        .locator("section", { has: page.getByRole("heading", { name: "Parts", exact: true }) })
        .last();
      const shares = await parts.locator("tbody tr td:last-child").allInnerTexts();
      const sum = shares.reduce((total, text) => total + Number.parseFloat(text), 0);
      expect(sum).toBeCloseTo(100, 0);
      expect(await parts.locator("tbody tr").first().innerText()).toMatch(/^weights/);
    });
  });

  it("curves read a sweep's points as its CSV has them, at a cursor too", async () => {
    const folder = mkdtempSync(join(tmpdir(), "sweep-"));
    const out = join(folder, "out");
    const argv = ["Qwen/Qwen3-8B", "--concurrency", "1,2,4", "--shape", "64/32", "--tp", "4,2"];
    await runSweep([...argv, "--out", out, "--no-chart", "--quiet"]);
    const files = readdirSync(join(out, "points")).map((name) => join(out, "points", name));
    const its = files.flatMap((file) => pointsIn(JSON.parse(readFileSync(file, "utf8"))));
    const [read] = its.filter(({ concurrency }) => concurrency === 2);
    if (read === undefined) throw new Error("no point of two users");
    const url = servers.get("cpu")?.url;
    for (const look of [LOOKS[0], LOOKS[3]]) {
      await visit(
        `${url}/#/curves?pace=${INTERACTIVITY.inferencex.of(read)}`,
        look,
        async (page) => {
          await page.getByLabel("Open files").setInputFiles(files);
          await page.getByRole("img", { name: /^Users per system/ }).waitFor();
          expect(await page.locator(".plot svg").count()).toBe(3);
          const there = await csvOf(page, "Read there");
          expect(
            there.some(([, users]) => Math.abs(Number(users) - 2) < 1e-9),
            JSON.stringify(there),
          ).toBe(true);
          const reading = await page.locator(".reading").first().textContent();
          expect(reading).toMatch(/ 2(?: ·|$)/);
          await page.getByRole("tab", { name: "Latency" }).click();
          expect(await page.locator(".plot svg").count()).toBe(4);
          await page.getByRole("tab", { name: "Pareto" }).click();
          await page.getByRole("img", { name: /^Output tokens.s a chip/ }).waitFor();
          await page.getByRole("tab", { name: "Points" }).click();
          const [titles = [], ...shown] = await csvOf(page, "Points");
          const at = titles.indexOf("output tokens/s");
          const sorted = (list: readonly number[]) => [...list].sort((a, b) => a - b);
          expect(sorted(shown.map((row) => Number(row[at])))).toEqual(
            sorted(its.map((point) => point.outputThroughput)),
          );
        },
      );
    }
    rmSync(folder, { recursive: true });
  });

  it("a Pareto of 27 points in the page's worker has the command line's, one for one in its order", async () => {
    const folder = mkdtempSync(join(tmpdir(), "sweep-"));
    const out = join(folder, "out");
    const argv = ["Qwen/Qwen3-0.6B", "--instance", "trn2.3xlarge", "--tp", "4,2,1"];
    const load = ["--concurrency", "1..256", "--shape", "256/128", "--seed", "0"];
    await runSweep([...argv, ...load, "--out", out, "--no-chart", "--quiet"]);
    const rows = readFileSync(join(out, "sweep.csv"), "utf8").trim().split("\n");
    const [head = [], ...lines] = rows.map((line) => line.split(","));
    const of = (line: readonly string[], key: string): number => Number(line[head.indexOf(key)]);
    const order = lines.map((line) => [of(line, "tensor_parallel"), of(line, "concurrency")]);
    expect(order).toHaveLength(27);
    // Exactly, as the files of its points have them: the table rounds.
    const exact = readdirSync(join(out, "points")).flatMap((name) =>
      pointsIn(JSON.parse(readFileSync(join(out, "points", name), "utf8"))),
    );
    const expected = order.map(([ranks, users]) => {
      const point = exact.find((its) => its.tensorParallel === ranks && its.concurrency === users);
      if (point === undefined) throw new Error(`no point of TP ${ranks}, ${users} users`);
      const { concurrency, outputThroughput, latency } = point;
      return [concurrency, outputThroughput, latency.ttft.p99, latency.tpot.median];
    });
    const link = "models=Qwen/Qwen3-0.6B&tp=4,2,1&users=1..256&shape=256/128&run=1&view=points";
    const url = servers.get("trainium")?.url;
    await visit(`${url}/#/curves?${link}`, LOOKS[0], async (page) => {
      await page.getByText(/^27 of 27 points/).waitFor({ timeout: 120_000 });
      const [titles = [], ...shown] = await csvOf(page, "Points");
      const names = ["users", "output tokens/s", "TTFT p99 ms", "TPOT p50 ms"];
      const found = shown.map((row) => names.map((name) => Number(row[titles.indexOf(name)])));
      expect(found).toHaveLength(27);
      found.forEach((row, index) => {
        row.forEach((value, column) => {
          const wanted = expected[index]?.[column] ?? Number.NaN;
          const what = `${names[column]} of ${order[index]}: ${value}, ${wanted}`;
          expect(Math.abs(value / wanted - 1), what).toBeLessThan(1e-9);
        });
      });
    });
    rmSync(folder, { recursive: true });
  });

  it("two sweeps of the page differ by what was set otherwise, and by nothing else", async () => {
    const url = servers.get("trainium")?.url;
    const link = "tp=4&users=4&shape=128/64&run=1&view=compare";
    await visit(`${url}/#/curves?${link}`, LOOKS[0], async (page) => {
      await page.getByText(/^1 of 1 points/).waitFor();
      await page.getByLabel("What if").fill("hbm.bandwidth=0.95x");
      await page.getByRole("button", { name: "Sweep here" }).click();
      await page.getByRole("heading", { name: "Set otherwise" }).waitFor();
      const [, ...settings] = await csvOf(page, "Set otherwise");
      expect(settings).toHaveLength(1);
      expect(settings[0]?.join(" ")).toContain("hbm.bandwidth=0.95x");
      const bars = await page.locator(".waterfall .value").allTextContents();
      expect(bars.length).toBeGreaterThan(2);
      const [, first] = await page.locator(".waterfall .name").allTextContents();
      expect(first?.trim()).toBe("weights");
    });
  });

  it("asks for the key where one is needed", async () => {
    const server = await startServer([
      "models/tiny/llama",
      "--device",
      "null",
      "--api-key",
      "secret",
    ]);
    const page = await browser.newPage();
    await page.goto(`${server.url}/`);
    await page.getByLabel(/API key/).fill("secret");
    await page.getByRole("button", { name: "Use it" }).click();
    await page.getByRole("heading", { level: 1, name: "models/tiny/llama" }).waitFor();
    await page.close();
    await server.stop(0);
  });
});

describe("pages as files", () => {
  it("are served with a strict policy, zipped, and told apart by their hash", async () => {
    const server = await startServer();
    const home = await server.get("/");
    expect(home.status).toBe(200);
    const policy = home.headers.get("content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|\*|https?:/);
    const assets = [...home.text.matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)].map(([, a]) => a);
    expect(assets.length).toBeGreaterThan(1);
    for (const asset of assets) {
      const { status, headers } = await server.get(`/${asset}`);
      expect(status).toBe(200);
      expect(headers.get("cache-control")).toContain("immutable");
      expect(headers.get("content-encoding")).toBe("gzip");
      const again = await fetch(`${server.url}/${asset}`, {
        headers: { "if-none-match": headers.get("etag") ?? "" },
      });
      expect(again.status).toBe(304);
    }
    for (const path of ["/assets/", "/assets/../package.json", "/assets/%2e%2e%2findex.html"]) {
      expect((await server.get(path)).status, path).toBe(404);
    }
    const openapi = await server.get("/openapi.json");
    expect(Object.keys(openapi.json.paths)).not.toContain("/");
    await server.stop(0);
  });

  it("weigh little: Home before the first click, the engine when it is asked for", () => {
    const folder = join("dist", "server", "web");
    const zipped = (name: string): number => gzipSync(readFileSync(join(folder, name))).length;
    const index = readFileSync(join(folder, "index.html"), "utf8");
    const first = [...index.matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)].map(([, a]) => `${a}`);
    const assets = readdirSync(join(folder, "assets"));
    const fonts = assets.filter((name) => name.endsWith(".woff2")).map((name) => `assets/${name}`);
    const sum = [...first, ...fonts].reduce(
      (all, name) => all + zipped(name),
      zipped("index.html"),
    );
    expect(sum).toBeLessThan(200_000);
    const engine = assets.filter((name) => name.startsWith("engine.worker"));
    expect(engine).toHaveLength(1);
    expect(first.some((name) => name.includes("worker"))).toBe(false);
    for (const name of engine) expect(zipped(`assets/${name}`)).toBeLessThan(400_000);
  });

  it("are gone with --disable-ui", async () => {
    const server = await startServer(["models/tiny/llama", "--device", "null", "--disable-ui"]);
    expect((await server.get("/")).status).toBe(404);
    await server.stop(0);
  });
});
