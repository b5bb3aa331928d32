/** This server's answers beside those of vLLM 0.32, which a maintainers' script has written down. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startServer, type TestServer } from "../support/server.ts";
import { ask, type VllmAnswer } from "./vllm/answer.ts";
import { cases } from "./vllm/cases.ts";
import { DEVIATIONS } from "./vllm/deviations.ts";

const FOLDER = "models/bundled/trainyard-tiny";

const goldens = JSON.parse(
  readFileSync(new URL("./vllm/goldens.json", import.meta.url), "utf8"),
) as { readonly vllm: string; readonly answers: Readonly<Record<string, VllmAnswer>> }; // the script's

let server: TestServer;
beforeAll(async () => {
  server = await startServer([
    FOLDER,
    ...["--device", "cpu", "--served-model-name", "m", "--max-num-seqs", "16"],
    ...["--enable-auto-tool-choice", "--tool-call-parser", "hermes", "--disable-ui"],
  ]);
});
afterAll(() => server.stop(0));

const deviates = (name: string) => DEVIATIONS.some((one) => one.cases.test(name));

async function both(name: string) {
  const request = cases.find((one) => one.name === name);
  const theirs = goldens.answers[name];
  if (request === undefined || theirs === undefined) throw new Error(`There is no case ${name}.`);
  const { status, lines } = await ask(server.url, request);
  return { ours: { status, lines }, theirs: { status: theirs.status, lines: theirs.lines } };
}

const names = Object.keys(goldens.answers);

describe(`answers of vLLM ${goldens.vllm}`, () => {
  it("have cases of their own, each for one thing", () => {
    expect(goldens.vllm).toBe("0.32.0");
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
    expect(names.length).toBeGreaterThan(900);
  });

  it.each(names.filter((name) => !deviates(name)))("%s", async (name) => {
    const { ours, theirs } = await both(name);
    expect(ours).toEqual(theirs);
  });

  it.each(names.filter(deviates))("differ on purpose: %s", async (name) => {
    const { ours, theirs } = await both(name);
    expect(ours).not.toEqual(theirs);
  });
});
