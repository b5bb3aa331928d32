/** Every page on both devices, dark, light and on a phone, while requests go on. */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  keepAsking,
  type Look,
  NO_BROWSER,
  openBrowser,
  type Stop,
  visitPage,
  walk,
} from "../support/pages.ts";
import { startServer, type TestServer } from "../support/server.ts";

const LOOKS: Readonly<Record<string, Look>> = {
  dark: ["dark", 1280, 800],
  light: ["light", 1280, 800],
  phone: ["dark", 360, 780],
};

const DEVICES = {
  cpu: ["models/tiny/llama", "--device", "cpu"],
  trainium: ["Qwen/Qwen3-0.6B", "--device", "trainium", "--tensor-parallel-size", "2"],
} as const;

const SWEEP = "models=Qwen/Qwen3-0.6B&tp=4&users=1..4&shape=64/16&run=1";

const STOPS: readonly Stop[] = [
  ["home", async (page) => page.getByRole("button", { name: "Send" }).waitFor()],
  ["live", async (page) => page.getByRole("img", { name: /^Output tokens.s against/ }).waitFor()],
  [
    "requests",
    async (page) => {
      await page.locator("tbody button.link").first().click();
      await page.getByRole("heading", { name: "To the last token" }).waitFor();
    },
  ],
  [`curves?${SWEEP}`, async (page) => page.getByText(/^3 of 3 points/).waitFor()],
  [`curves?${SWEEP}&view=points`, async (page) => page.getByText(/^3 of 3 points/).waitFor()],
  [
    "plan?model=Qwen/Qwen3-0.6B&instances=trn2.3xlarge&tp=4&formats=stored&input=64&output=16&people=4&pace=20&run=1",
    async (page) => page.getByRole("heading", { name: "What was looked at" }).waitFor(),
  ],
  [
    "explorer?view=timeline",
    async (page) => page.getByRole("img", { name: /^Timeline of/ }).waitFor(),
  ],
];

describe.skipIf(NO_BROWSER !== undefined)(`every page ${NO_BROWSER ?? ""}`, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await openBrowser();
  });
  afterAll(() => browser.close());

  describe.each(Object.entries(DEVICES))("on %s, under load", (_device, argv) => {
    let server: TestServer;
    let stop: () => void;
    beforeAll(async () => {
      server = await startServer(argv);
      await server.post("/v1/completions", { prompt: "One", max_tokens: 4 });
      stop = keepAsking(server.url, 3);
    });
    afterAll(async () => {
      stop();
      await server.stop(0);
    });

    it.each(Object.entries(LOOKS))("%s", async (_name, look) => {
      await visitPage(browser, `${server.url}/#/home`, look, (page) => walk(page, STOPS));
      // The load was there to the end, and was served.
      const { requests } = (await server.get("/requests?limit=3")).json;
      expect(requests.map((one: { status: number }) => one.status)).toEqual([200, 200, 200]);
      expect(Date.now() - requests[0].arrived).toBeLessThan(20_000);
    });
  });
});
