/** Plan and what if in a browser: the command line's figures, in the page's worker. */
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as plan from "../../scripts/commands/plan/main.ts";
import { INFERENCEX } from "../../scripts/commands/sweep/protocol.ts";
import { runPoint } from "../../scripts/commands/sweep/run-point.ts";
import { INTERACTIVITY } from "../../scripts/report/point.ts";
import { buildSystem } from "../../scripts/virtual/system.ts";
import { digits } from "../../server/web/src/figures.ts";
import { runCommand } from "../support/command.ts";
import { LOOKS, NO_BROWSER, openBrowser, visitPage } from "../support/pages.ts";
import { startServer, type TestServer } from "../support/server.ts";

const MODEL = "meta-llama/Llama-3.2-1B-Instruct";

/** Cells of a table's body, a row each. */
async function rowsOf(page: Page, title: string): Promise<readonly (readonly string[])[]> {
  const rows: Locator = page.locator("section.panel", {
    has: page.getByRole("heading", { name: title, exact: true }),
  });
  return rows
    .locator("tbody tr")
    .evaluateAll((lines) => lines.map((line) => [...line.children].map((its) => its.innerHTML)))
    .then((lines) => lines.map((line) => line.map((html) => html.replaceAll(/<[^>]*>/g, ""))));
}

describe.skipIf(NO_BROWSER !== undefined)(`plan ${NO_BROWSER ?? ""}`, () => {
  let browser: Browser;
  let server: TestServer;
  beforeAll(async () => {
    browser = await openBrowser();
    server = await startServer(["models/tiny/llama", "--device", "null"]);
  });
  afterAll(async () => {
    await browser.close();
    await server.stop(0);
  });

  const ASK = {
    flags:
      "--instance trn2.3xlarge,trn1.2xlarge --tp 1,2 --formats stored,fp8 --input-len 400 --output-len 40 --users 12 --tokens-per-user 100 --price-per-hour trn2.3xlarge=3",
    link: `model=${MODEL}&instances=trn2.3xlarge,trn1.2xlarge&tp=1,2&formats=stored,fp8&input=400&output=40&people=12&pace=100&prices=trn2.3xlarge=3&run=1`,
  };

  it("has the command line's ranking and its command, and remarks of both are one", async () => {
    const { text } = await runCommand(plan, `${MODEL} ${ASK.flags}`);
    const lines = text.split("\n");
    const head = lines.findIndex((line) => / system .* format /.test(line));
    const printed = lines
      .slice(head + 1, lines.indexOf("", head))
      .map((line) => line.trim().split(/ {2,}/));
    expect(printed.length).toBeGreaterThan(2);
    await visitPage(browser, `${server.url}/#/plan?${ASK.link}`, LOOKS[0], async (page) => {
      await page.getByRole("heading", { name: "What was looked at" }).waitFor();
      expect(await rowsOf(page, "Ranking")).toEqual(printed);
      const command = lines.find((line) => line.startsWith("  trainyard serve"))?.trim() ?? "";
      expect(await page.locator(".command pre").textContent()).toBe(command);
      const shown = await page.locator("main").textContent();
      for (const line of lines.slice(lines.findIndex((its) => its.includes(command)) + 1)) {
        if (!/^[\d.]+ s\.$/.test(line)) expect(shown).toContain(line);
      }
      expect(shown).toContain("Keeps its promise for 5 other seeds.");
      // Another row's command is a click away, and in the link.
      const [place = "", system = ""] = printed.at(-1) ?? [];
      await page.getByRole("button", { name: system, exact: true }).last().click();
      await page.locator(".chosen .place", { hasText: place }).waitFor();
      const [instance = ""] = system.split(" ");
      expect(await page.locator(".command pre").textContent()).toContain(`--instance ${instance}`);
      expect(page.url()).toContain(`&place=${place}`);
    });
  });

  it("says why nothing keeps a promise, and what could be promised", async () => {
    const promised = ASK.link.replace("pace=100", "pace=5000");
    const { text, code } = await runCommand(
      plan,
      `${MODEL} ${ASK.flags.replace("user 100", "user 5000")}`,
    );
    expect(code).toBe(1);
    await visitPage(browser, `${server.url}/#/plan?${promised}`, LOOKS[3], async (page) => {
      await page.getByRole("heading", { name: "Why not" }).waitFor();
      const most = /--tokens-per-user \d+/.exec(text)?.[0] ?? "none";
      await page.getByText(most).waitFor();
      const title = /Nearest of \d+, with one user/.exec(text)?.[0] ?? "none";
      expect((await rowsOf(page, title)).length).toBeGreaterThan(1);
    });
  });

  it("refuses what is no number, by the field's name", async () => {
    await visitPage(browser, `${server.url}/#/plan`, LOOKS[2], async (page) => {
      await page.getByRole("textbox", { name: "Users at once" }).fill("many");
      await page.getByRole("button", { name: "Find systems" }).click();
      expect(await page.getByRole("alert").textContent()).toBe("Users cannot be “many”.");
    });
  });

  const IF = `view=whatif&model=${MODEL}&machine=trn2.3xlarge&ranks=4&shape=256/64&users=1,4`;

  async function simulated(set: string, concurrency: number): Promise<string> {
    const system = await buildSystem({
      model: MODEL,
      device: "trainium",
      instance: "trn2.3xlarge",
      tensorParallel: 4,
      dataParallel: 1,
      expertParallel: false,
      kernels: "",
      own: set === "" ? {} : { set },
      maxNumSeqs: concurrency,
      maxModelLen: 384,
      prefixCaching: false,
      seed: 0,
    });
    const workload = { ...INFERENCEX, inputLen: 256, outputLen: 64, seed: 0 };
    const { point } = await runPoint(system, workload, concurrency);
    return digits(INTERACTIVITY.inferencex.of(point));
  }

  for (const look of LOOKS) {
    it(`answers a slider at once and then simulates it, ${look.join(" ")}`, async () => {
      await visitPage(browser, `${server.url}/#/plan?${IF}`, look, async (page) => {
        const slider = page.getByRole("slider", { name: /^HBM bandwidth/ });
        await page.getByRole("cell", { name: await simulated("", 4), exact: true }).waitFor();
        await slider.focus();
        // Through 1.05 to 1.25 and 1.5: what is under way ends, what is set last is shown.
        for (const _ of [1, 2, 3]) await page.keyboard.press("ArrowRight");
        expect(await slider.getAttribute("aria-valuetext")).toBe("× 1.5");
        await page.getByRole("columnheader", { name: "what if, estimate" }).waitFor();
        const figures = await Promise.all(
          [1, 4].map((users) => simulated("hbm.bandwidth=1.5x", users)),
        );
        for (const its of figures) {
          await page.getByRole("cell", { name: its, exact: true }).first().waitFor();
        }
        const rows = await rowsOf(page, "Read at each number of users");
        expect(rows.map((row) => row[4])).toEqual(figures);
        // The estimate stands beside it, of the same size.
        for (const row of rows) {
          expect(Math.abs(Number(row[3]) / Number(row[4]) - 1)).toBeLessThan(0.3);
        }
        expect(page.url()).toContain("hbm=1.5");
        await page.getByRole("heading", { name: "from as it is to what if" }).waitFor();
      });
    });
  }

  it("comes out the same from its link, and says what cannot be built", async () => {
    const link = `${server.url}/#/plan?${IF}&hbm=1.5`;
    await visitPage(browser, link, LOOKS[1], async (page) => {
      const figure = await simulated("hbm.bandwidth=1.5x", 4);
      await page.getByRole("cell", { name: figure, exact: true }).waitFor();
      await page.getByRole("slider", { name: /^Tensor parallel/ }).focus();
      await page.keyboard.press("End");
      await page.getByRole("alert").first().waitFor();
      expect(await page.getByRole("alert").first().textContent()).toContain("64");
    });
  });
});
