/** Pages saved as one file, opened from the disk: no server, no network, their own policy. */
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as compare from "../../scripts/commands/compare/main.ts";
import { opened } from "../../scripts/commands/open.ts";
import * as profile from "../../scripts/commands/profile.ts";
import * as sweep from "../../scripts/commands/sweep/main.ts";
import { INTERACTIVITY } from "../../scripts/report/point.ts";
import { pointsIn } from "../../scripts/report/read-points.ts";
import { savedPage } from "../../scripts/report/saved-page.ts";
import { digits } from "../../server/web/src/figures.ts";
import { runCommand } from "../support/command.ts";
import { LOOKS, type Look, NO_BROWSER, openBrowser, visitPage } from "../support/pages.ts";

const SWEEP =
  "Qwen/Qwen3-0.6B --instance trn2.3xlarge --shape 128/32 --concurrency 1,2 --requests-per-user 3 --warmups-per-user 1 --quiet --no-chart";

describe.skipIf(NO_BROWSER !== undefined)(`saved pages ${NO_BROWSER ?? ""}`, () => {
  let browser: Browser;
  let folder: string;
  const at = (...path: readonly string[]): string => join(folder, ...path);

  beforeAll(async () => {
    browser = await openBrowser();
    folder = mkdtempSync(join(tmpdir(), "saved-"));
    await runCommand(sweep, `${SWEEP} --tp 4,2 --out ${at("one")}`);
    await runCommand(sweep, `${SWEEP} --tp 4,2 --set hbm.bandwidth=0.95x --out ${at("two")}`);
  });
  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true });
  });

  /** Every request is of the file, or of what is in it. */
  async function open(
    file: string,
    look: Look,
    inside: (page: Page) => Promise<void>,
    hash = "",
  ): Promise<void> {
    const url = pathToFileURL(file).href;
    const asked: string[] = [];
    await visitPage(browser, "about:blank", look, async (page) => {
      page.on("request", (request) => asked.push(request.url()));
      await page.goto(`${url}${hash}`);
      await inside(page);
    });
    const own = (its: string): boolean =>
      its.startsWith(url) || its.startsWith("blob:") || its.startsWith("data:");
    expect(asked.filter((its) => !own(its))).toEqual([]);
  }

  it("lets in its script by its hash, and nothing else", () => {
    const html = readFileSync(at("one", "report.html"), "utf8");
    const policy = /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(html)?.[1] ?? "";
    const [, script = ""] = /<script type="module">([\s\S]*?)<\/script>/.exec(html) ?? [];
    const hash = createHash("sha256").update(script).digest("base64");
    expect(script.length).toBeGreaterThan(100_000);
    expect(policy).toContain(`script-src 'sha256-${hash}';`);
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|connect-src|https?:|\*/);
    const around = html.replace(script, "");
    expect(around.match(/<script/g)).toHaveLength(2); // the state, and the script
    expect(script).not.toMatch(/<\/script|<!--/i); // which nothing ends but its end
    expect(around).not.toMatch(/<(?:script|link|img)[^>]+(?:src|href)="(?!data:)/);
    expect(statSync(at("one", "report.html")).size).toBeLessThan(1_500_000);
  });

  for (const look of LOOKS) {
    it(`shows a sweep's points as its files have them, ${look.join(" ")}`, async () => {
      const points = pointsIn(JSON.parse(readFileSync(at("two", "sweep.json"), "utf8")));
      expect(points).toEqual([]); // rows for other tools: the page has the points themselves
      const csv = readFileSync(at("one", "sweep.csv"), "utf8").trimEnd().split("\n");
      const column = csv[0]?.split(",").indexOf("tokens_per_s_per_user_inferencex") ?? -1;
      await open(at("one", "report.html"), look, async (page) => {
        await page
          .getByRole("heading", { name: "Users per system against interactivity" })
          .waitFor();
        expect(await page.getByRole("link", { name: "Home", exact: true }).count()).toBe(0);
        await page.getByText("Make it again").click();
        await page.getByText("trainyard sweep Qwen/Qwen3-0.6B").waitFor();
        await page.getByRole("tab", { name: "Points" }).click();
        for (const line of csv.slice(1)) {
          const pace = Number(line.split(",")[column]).toFixed(1);
          await page
            .getByRole("cell", { name: new RegExp(`^${pace.replace(".", "\\.")} \\(`) })
            .first()
            .waitFor();
        }
      });
    });
  }

  it("reads at a cursor, and its link opens the same view", async () => {
    await open(
      at("one", "report.html"),
      LOOKS[0],
      async (page) => {
        const slider = page.getByRole("slider", { name: /tokens\/s\/user$/ });
        expect(await slider.inputValue()).toBe("200");
        await slider.focus();
        await page.keyboard.press("ArrowRight");
        await page.getByText("At least 201 tokens/s/user").waitFor();
        expect(page.url()).toContain("pace=201");
        await page
          .getByText(/^at 201: /)
          .first()
          .waitFor();
      },
      "#/curves?pace=200",
    );
  });

  it("sweeps and asks what if in its own worker", async () => {
    await open(
      at("one", "report.html"),
      LOOKS[0],
      async (page) => {
        await page.getByText(/^2 of 2 points/).waitFor({ timeout: 60_000 });
        await page.getByRole("link", { name: "Plan" }).click();
        await page.getByRole("tab", { name: "What if" }).click();
        await page.getByRole("slider", { name: /^HBM bandwidth/ }).focus();
        await page.keyboard.press("ArrowRight");
        await page.getByRole("columnheader", { name: "what if, simulated" }).waitFor();
        await page.getByRole("heading", { name: "from as it is to what if" }).waitFor();
      },
      "#/curves?models=Qwen/Qwen3-0.6B&tp=4&users=1,2&shape=64/16&run=1",
    );
  });

  it("prices a step in the explorer", async () => {
    await open(
      at("one", "report.html"),
      LOOKS[3],
      (page) => page.getByRole("heading", { name: "What would help" }).waitFor(),
      "#/explorer?view=summary",
    );
  });

  it("compare writes two sweeps as a page that says what the terminal says", async () => {
    const file = at("compared.html");
    const { text } = await runCommand(compare, `${at("one")} ${at("two")} --html ${file}`);
    const says = text.split("\n").find((line) => / measures differ beyond chance/.test(line)) ?? "";
    expect(says).not.toBe("");
    await open(file, LOOKS[1], async (page) => {
      await page.getByRole("heading", { name: "Set otherwise" }).waitFor();
      await page.getByRole("cell", { name: "set=hbm.bandwidth=0.95x" }).waitFor();
      await page.getByText(says).waitFor();
      const [point] = pointsIn(pointsOf(file)[1]);
      if (point === undefined) throw new Error("no point");
      const pace = digits(INTERACTIVITY.inferencex.of(point));
      await page.getByRole("cell", { name: pace, exact: true }).first().waitFor();
    });
  });

  it("is opened and compared as the folder is that it came from", async () => {
    const [page, folder] = [at("one", "report.html"), at("one")];
    // A folder's points lie in no order.
    const answer = async (one: string): Promise<readonly string[]> => {
      const { text } = await runCommand(compare, `${one} ${at("two")}`);
      return text.replaceAll(one, "ONE").split("\n").sort();
    };
    expect(await answer(page)).toEqual(await answer(folder));
    const { url, close } = await opened(page, 0);
    await visitPage(browser, url, LOOKS[0], (its) =>
      its.getByRole("heading", { name: "Users per system against interactivity" }).waitFor(),
    );
    await close();
  });

  it("compare writes two profiles as a page", async () => {
    const line = "Qwen/Qwen3-0.6B --instance trn2.3xlarge --tp 4";
    await runCommand(profile, `${line} --out ${at("a")}`);
    await runCommand(profile, `${line} --set hbm.bandwidth=0.5x --out ${at("b")}`);
    const file = at("profiles.html");
    const { text } = await runCommand(compare, `${at("a.spans")} ${at("b.spans")} --html ${file}`);
    await open(file, LOOKS[0], async (page) => {
      await page.getByRole("heading", { name: "Side by side" }).waitFor();
      await page.getByText("hbm.bandwidth=0.5x").first().waitFor();
      const [sentence = ""] = text.split("\n").filter((its) => its.includes("most of the change"));
      expect(await page.locator("main").textContent()).toContain(sentence);
    });
  });

  it("shows hostile names as text, and leaves its element by none", async () => {
    const hostile = `</script><script>document.title="hacked"</script><!--<img src=x onerror=alert(1)>`;
    const [point] = pointsIn(pointsOf(at("one", "report.html"))[0]);
    if (point === undefined) throw new Error("no point");
    const file = at("hostile.html");
    const identity = { ...point.identity, model: hostile };
    writeFileSync(
      file,
      savedPage({
        title: hostile,
        link: "#/curves?view=points",
        command: hostile,
        notes: [hostile],
        runs: [{ name: hostile, points: [{ ...point, identity, model: hostile }] }],
      }),
    );
    await open(file, LOOKS[0], async (page) => {
      await page.getByRole("heading", { level: 1 }).filter({ hasText: hostile }).waitFor();
      expect(await page.title()).not.toBe("hacked");
      expect(await page.locator("img[src=x]").count()).toBe(0);
      await page.getByRole("tab", { name: "Overview" }).click();
      await page.getByRole("heading", { name: "Users per system against interactivity" }).waitFor();
    });
  });

  /** The points of each run in a saved page. */
  function pointsOf(file: string): readonly unknown[] {
    const html = readFileSync(file, "utf8");
    const [, text = ""] = /id="saved">([\s\S]*?)<\/script>/.exec(html) ?? [];
    const { runs } = JSON.parse(text) as { runs: readonly { readonly points: unknown }[] };
    return runs.map(({ points }) => points);
  }
});
