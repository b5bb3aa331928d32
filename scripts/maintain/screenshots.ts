/**
 * One picture a page and mode, of a server under a little load:
 * `npx tsx scripts/maintain/screenshots.ts [--only PART] [--out FOLDER]`, after `npm run build`.
 * The pages are those of PICTURES; a new view is a line there.
 */
import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { pino } from "pino";
import { type Browser, chromium, type Page } from "playwright-core";
import { parseSettings } from "../../server/config.ts";
import { type RunningServer, serve } from "../../server/main.ts";
import { run as sweep } from "../commands/sweep/main.ts";

const LOOKS = {
  dark: { colorScheme: "dark", width: 1280, height: 760 },
  light: { colorScheme: "light", width: 1280, height: 760 },
  phone: { colorScheme: "dark", width: 360, height: 780 },
} as const;

const SIMULATED = [
  "meta-llama/Llama-3.1-8B-Instruct",
  ...["--device", "trainium", "--tensor-parallel-size", "4", "--enable-per-request-metrics"],
  // A pool that a dozen users fill visibly.
  ...["--num-gpu-blocks-override", "480", "--max-model-len", "8192"],
];

const MODEL = "model=openai/gpt-oss-120b&instance=trn2.48xlarge&tensorParallel=16";

interface Picture {
  readonly name: string;
  readonly device: "trainium" | "cpu";
  readonly link: string;
  /** (optional) Where it stands, if not at the server. */
  readonly address?: () => Promise<string>;
  /** (optional) The page to its end, not the first screen alone. */
  readonly whole?: true;
  /** Until it shows what it is there to show. */
  readonly ready: (page: Page) => Promise<void>;
}

const settled = (page: Page): Promise<void> => page.waitForTimeout(900);

async function answered(page: Page): Promise<void> {
  await page
    .getByRole("checkbox", { name: "Log-probabilities" })
    .check()
    .catch(() => undefined);
  await page.getByRole("spinbutton", { name: "Max tokens" }).fill("120");
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText(/^ended: /).waitFor();
  await settled(page);
}

/** Of a page that computes before it shows. */
const computed =
  (text: RegExp) =>
  async (page: Page): Promise<void> => {
    await page.getByText(text).first().waitFor({ timeout: 120_000 });
    await settled(page);
  };

const SWEEP =
  "models=openai/gpt-oss-120b&instances=trn2.48xlarge,trn3-gen2-ultraserver&tp=16,8&users=1..64&shape=1024/256&run=1";

const PLAN =
  "model=openai/gpt-oss-120b&people=200&pace=50&instances=trn2.3xlarge,trn2.48xlarge,trn3-gen2-ultraserver&tp=4,8,16";

const timelineReady = async (page: Page): Promise<void> => {
  await page.getByRole("img", { name: /Timeline of \d{3,} spans/ }).waitFor();
  await settled(page);
};

const PICTURES: readonly Picture[] = [
  { name: "home", device: "trainium", link: "home", ready: answered },
  { name: "home-cpu", device: "cpu", link: "home", ready: answered },
  ...["overview", "pareto", "compare", "points"].map(
    (view): Picture => ({
      name: `curves-${view}`,
      device: "trainium",
      link: `curves?${SWEEP}&view=${view}`,
      ready: computed(/^28 of 28 points/),
    }),
  ),
  {
    name: "saved-page",
    device: "trainium",
    link: "",
    address: savedSweep,
    whole: true,
    ready: settled,
  },
  {
    name: "plan",
    device: "trainium",
    link: `plan?${PLAN}&run=1`,
    ready: computed(/^What was looked at/),
  },
  {
    name: "plan-why-not",
    device: "trainium",
    link: `plan?pace=900&${PLAN}&run=1`,
    ready: computed(/^Why not/),
  },
  {
    name: "plan-what-if",
    device: "trainium",
    link: "plan?view=whatif&model=openai/gpt-oss-120b&machine=trn2.48xlarge&ranks=16&shape=1024/256&users=1..64&hbm=1.5&drafts=3&accept=2.4",
    ready: computed(/^64 users, /),
  },
  {
    name: "live",
    device: "trainium",
    link: "live",
    ready: async (page) => page.waitForTimeout(25_000),
  },
  {
    name: "requests",
    device: "trainium",
    link: "requests?outcome=done",
    ready: async (page) => {
      await page.waitForTimeout(20_000);
      await page.locator("tbody button.link").nth(4).click();
      await page.getByRole("heading", { name: "To the last token" }).waitFor();
      await settled(page);
    },
  },
  {
    name: "curves-studies",
    device: "trainium",
    link: "curves?view=studies&pace=50",
    ready: computed(/^At 50 tokens/),
  },
  {
    name: "explorer-timeline",
    device: "trainium",
    link: `explorer?${MODEL}`,
    ready: timelineReady,
  },
  ...["summary", "hierarchy", "operations", "roofline", "memory", "compare"].map(
    (view): Picture => ({
      name: `explorer-${view}`,
      device: "trainium",
      link: `explorer?${MODEL}&view=${view}`,
      ready: settled,
    }),
  ),
];

async function start(argv: readonly string[]): Promise<RunningServer> {
  const { settings } = parseSettings([...argv, "--port", "0"]);
  return serve(settings, pino({ level: "silent" }));
}

/** Users who ask and read while the pictures are taken: some begin alike, some ask at length. */
function load(url: string, users: number): () => void {
  const end = new AbortController();
  const system = "You are a patient storyteller. ".repeat(30);
  const user = async (seat: number): Promise<void> => {
    for (let turn = 0; !end.signal.aborted; turn++) {
      await new Promise((resolve) => setTimeout(resolve, (seat * 370 + turn * 530) % 2900));
      const long = (seat + turn) % 5 === 0 ? "It was a dark and stormy night. ".repeat(120) : "";
      const content = `${long}Tell me story ${seat}.${turn} about a fox.`;
      const body = {
        messages: [
          ...(seat % 2 === 0 ? [{ role: "system", content: system }] : []),
          { role: "user", content },
        ],
        ...{ max_tokens: 60 + ((seat * 97 + turn * 61) % 260), temperature: 0.8, stream: true },
      };
      await fetch(`${url}/v1/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
        signal: end.signal,
      })
        .then((response) => response.text())
        .catch(() => undefined);
    }
  };
  for (let seat = 0; seat < users; seat++) void user(seat);
  return () => end.abort();
}

/** A sweep's report, which needs no server. */
async function savedSweep(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "sweep-"));
  const argv = "openai/gpt-oss-120b --instance trn2.48xlarge --tp 16,32 --concurrency 1..256";
  await sweep([...argv.split(" "), "--quiet", "--no-chart", "--out", folder]);
  return pathToFileURL(join(folder, "report.html")).href;
}

async function take(browser: Browser, picture: Picture, url: string, out: string): Promise<void> {
  const address = await picture.address?.();
  for (const [look, { colorScheme, width, height }] of Object.entries(LOOKS)) {
    const page = await browser.newPage({ viewport: { width, height }, colorScheme });
    page.on("pageerror", (error) => process.stderr.write(`${picture.name}: ${error.message}\n`));
    await page.goto(address ?? `${url}/#/${picture.link}`);
    await picture.ready(page);
    await page.screenshot({
      path: join(out, `${picture.name}-${look}.png`),
      fullPage: full || picture.whole === true,
    });
    await page.close();
  }
}

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    out: { type: "string", default: join("server", "web", "screenshots") },
    full: { type: "boolean", default: false },
  },
});
const { full } = values;

const wanted = PICTURES.filter(({ name }) => name.includes(values.only));
mkdirSync(values.out, { recursive: true });
const browser = await chromium.launch({
  executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu"],
});
for (const device of ["trainium", "cpu"] as const) {
  const its = wanted.filter((picture) => picture.device === device);
  if (its.length === 0) continue;
  const server = await start(device === "cpu" ? ["--device", "cpu"] : SIMULATED);
  const stop = load(server.url, device === "cpu" ? 3 : 12);
  for (const picture of its) await take(browser, picture, server.url, values.out);
  stop();
  await server.stop(0);
}
await browser.close();
process.exit(0);
