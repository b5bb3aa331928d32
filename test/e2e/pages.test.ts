/** The pages in a browser: no error in the console, nothing axe calls serious, and they work. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run } from "../../scripts/commands/profile.ts";
import { run as runSweep } from "../../scripts/commands/sweep/main.ts";
import { axeFindings, NO_BROWSER, openBrowser } from "../support/pages.ts";
import { startServer, type TestServer } from "../support/server.ts";

const LOOKS = [
  ["dark", 1280, 800],
  ["light", 1280, 800],
  ["dark", 360, 780],
  ["light", 360, 780],
] as const;

const DEVICES = {
  cpu: ["--device", "cpu"],
  trainium: ["--enable-per-request-metrics"],
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

  async function visit(
    path: string,
    look: (typeof LOOKS)[number],
    inside: (page: Page) => Promise<void>,
  ): Promise<void> {
    const [colorScheme, width, height] = look;
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

  for (const device of Object.keys(DEVICES)) {
    for (const look of LOOKS) {
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
  }

  for (const look of LOOKS) {
    it(`explorer, ${look.join(" ")}`, async () => {
      const url = servers.get("trainium")?.url;
      const link = "model=openai/gpt-oss-120b&instance=trn2.48xlarge&tensorParallel=16&rows=4";
      await visit(`${url}/#/explorer?${link}`, look, async (page) => {
        await page.getByRole("img", { name: /Timeline of \d{3,} spans/ }).waitFor();
        await page.getByRole("tab", { name: "Operations" }).click();
        await page
          .getByRole("cell", { name: /^attention: / })
          .first()
          .waitFor();
      });
    });
  }

  it("explorer's figures are those of the command line", async () => {
    const folder = mkdtempSync(join(tmpdir(), "profile-"));
    const argv = ["meta-llama/Llama-3.1-8B-Instruct", "--instance", "trn2.3xlarge", "--tp", "4"];
    await run([...argv, "--batch", "3", "--context", "777", "--out", join(folder, "p")]);
    const summary = JSON.parse(readFileSync(join(folder, "p.summary.json"), "utf8"));
    const url = servers.get("trainium")?.url;
    await visit(`${url}/#/explorer?rows=3&context=777&view=summary`, LOOKS[0], async (page) => {
      await page.getByText("MFU", { exact: true }).waitFor();
      const facts = await page.locator(".facts").innerText();
      expect(facts).toContain(`${(100 * summary.mbu_estimated_percent).toFixed(1)} %`);
      expect(facts).toContain(`${(summary.total_time * 1e3).toPrecision(3)} ms`);
      await page.locator("input[type=file]").setInputFiles(join(folder, "p.trace.json"));
      await page.getByText(/From p\.trace\.json: simulated time/).waitFor();
    });
    rmSync(folder, { recursive: true });
  });

  it("curves read a sweep's points as its CSV has them", async () => {
    const folder = mkdtempSync(join(tmpdir(), "sweep-"));
    const out = join(folder, "out");
    const argv = ["Qwen/Qwen3-8B", "--concurrency", "1,2,4", "--shape", "64/32", "--tp", "4,2"];
    await runSweep([...argv, "--out", out, "--no-chart", "--quiet"]);
    const files = readdirSync(join(out, "points")).map((name) => join(out, "points", name));
    const [head = "", ...rows] = readFileSync(join(out, "sweep.csv"), "utf8").trim().split("\n");
    const at = head.split(",").indexOf("output_throughput");
    const url = servers.get("cpu")?.url;
    for (const look of LOOKS) {
      await visit(`${url}/#/curves`, look, async (page) => {
        await page.locator("input[type=file]").setInputFiles(files);
        await page.getByRole("img", { name: /^Users per system/ }).waitFor();
        expect(await page.locator(".chart svg").count()).toBe(10);
        const table = page.locator("section", { hasText: "output tokens/s" }).last();
        const shown = await table.locator("tbody tr").allInnerTexts();
        const expected = rows.map((row) => Number(row.split(",")[at]).toFixed(0));
        for (const figure of expected) {
          expect(
            shown.some((row) => row.split(/\s+/).includes(figure)),
            figure,
          ).toBe(true);
        }
      });
    }
    rmSync(folder, { recursive: true });
  });

  it("shows what is hostile as text", async () => {
    const server = await startServer([
      "models/tiny/llama",
      "--device",
      "null",
      "--served-model-name",
      "<img src=x onerror=alert(1)>",
    ]);
    await visit(`${server.url}/`, LOOKS[0], async (page) => {
      await page.getByRole("heading", { level: 1, name: "<img src=x" }).waitFor();
      expect(await page.locator("main img").count()).toBe(0);
    });
    await server.stop(0);
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

  it("are gone with --disable-ui", async () => {
    const server = await startServer(["models/tiny/llama", "--device", "null", "--disable-ui"]);
    expect((await server.get("/")).status).toBe(404);
    await server.stop(0);
  });
});
