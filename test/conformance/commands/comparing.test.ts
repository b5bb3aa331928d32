/** `compare` and `open`, run as they are typed: two sweeps, two profiles, a bench's result, and what is none of them. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as compare from "../../../scripts/commands/compare/main.ts";
import { readSide } from "../../../scripts/commands/compare/side.ts";
import * as open from "../../../scripts/commands/open.ts";
import * as profile from "../../../scripts/commands/profile.ts";
import * as sweep from "../../../scripts/commands/sweep/main.ts";
import { canSavePages } from "../../../scripts/report/saved-page.ts";
import { runCommand } from "../../support/command.ts";

let folder: string;
const at = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "trainyard-compare-"));
  const system = "Qwen/Qwen3-0.6B --instance trn2.3xlarge --tp 4";
  for (const [name, more] of [
    ["as-it-is", ""],
    ["slow", "--set hbm.bandwidth=0.5x"],
  ]) {
    const line = `${system} --concurrency 1,2 --shape 64/8 --requests-per-user 2 --quiet --no-chart --out ${at(`${name}`)} ${more}`;
    expect((await runCommand(sweep, line)).code).toBe(0);
    const step = await runCommand(profile, `${system} --out ${at(`${name}-step`)} ${more}`);
    expect(step.code).toBe(0);
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Rows of the table with this title, cells cut at two spaces or more. */
function rowsOf(text: string, title: RegExp): readonly (readonly string[])[] {
  const block = text.split("\n\n").find((its) => title.test(its.split("\n")[0] ?? ""));
  return (block?.trim().split("\n").slice(2) ?? []).map((line) => line.trim().split(/ {2,}/));
}

const figure = (cell: string | undefined): number => Number(cell?.replace(/[ %*+]/g, ""));

describe("trainyard compare", () => {
  it("tells of two sweeps what was set otherwise, and parts that sum to the whole", async () => {
    const { code, text } = await runCommand(compare, `${at("as-it-is")} ${at("slow")}`);
    expect(code).toBe(0);
    expect(
      rowsOf(text, /^Set otherwise/)
        .flat()
        .join(" "),
    ).toContain("hbm.bandwidth=0.5x");
    expect(text).toMatch(/^(\d+) of \1 measures differ beyond chance, at 2 loads\.$/m);
    const measures = rowsOf(text, /^Measures/);
    // Six measures of two loads; in virtual time nothing is chance.
    expect(measures).toHaveLength(12);
    for (const [, name, a, b, change, chance] of measures) {
      expect(chance).toBe("none");
      expect(change).toMatch(/\*$/);
      expect(figure(change)).toBeCloseTo(100 * (figure(b) / figure(a) - 1), 0);
      // Half the bandwidth: what is better when higher fell, what is better when lower rose.
      expect(figure(change) > 0, name).toBe(/mean/.test(name ?? ""));
    }
    const parts = rowsOf(text, /^The engines' time/);
    const [whole, ...others] = parts
      .filter(([load]) => load === parts[0]?.[0])
      .sort(([, a], [, b]) => Number(b === "whole") - Number(a === "whole"));
    expect(others.reduce((sum, row) => sum + figure(row[4]), 0)).toBeCloseTo(figure(whole?.[4]), 3);
    expect(figure(whole?.[5])).toBe(100);
  });

  it("writes a page that holds both and what is said of them, where pages are built", async () => {
    const page = at("page.html");
    const ran = runCommand(compare, `--html ${page} ${at("as-it-is")} ${at("slow")}`);
    if (!canSavePages()) {
      await expect(ran).rejects.toThrow("--html: the pages are not built: npm run build");
      return;
    }
    const { text } = await ran;
    expect(text.trimEnd().endsWith(page)).toBe(true);
    const saved = /id="saved">(.*?)<\/script>/s.exec(await readFile(page, "utf8"))?.[1] ?? "";
    const [said] = /^\d+ of \d+ measures differ.*$/m.exec(text) ?? [];
    expect(saved).toContain(`${said}`);
    expect(saved).toContain("hbm.bandwidth=0.5x");
    expect(() => JSON.parse(saved)).not.toThrow();
  });

  it("finds no difference where there is none, and no pair where loads are others", async () => {
    const same = await runCommand(compare, `${at("slow")} ${at("slow")}`);
    expect(same.text).toContain("No difference beyond chance at 2 loads.");
    expect(same.text).not.toMatch(/^Set otherwise|^The engines' time/m);
    const own = at("others");
    const line = `Qwen/Qwen3-0.6B --instance trn2.3xlarge --tp 4 --concurrency 2,3 --shape 64/8 --requests-per-user 2 --quiet --no-chart --out ${own}`;
    await runCommand(sweep, line);
    const some = await runCommand(compare, `${at("slow")} ${own}`);
    expect(some.text).toContain("2 points have no counterpart of the same load.");
    const lone = join(own, "lone.json");
    const { points } = (await readSide(own)) as { points: readonly { concurrency: number }[] };
    await writeFile(lone, JSON.stringify(points.filter(({ concurrency }) => concurrency === 3)));
    const none = await runCommand(compare, `${at("slow")} ${lone}`);
    expect(none.text).toContain("No point of one has the load of a point of the other.");
  });

  it("tells of two profiles where the time went, and nothing of one and the same", async () => {
    const [a, b] = [at("as-it-is-step.spans"), at("slow-step.spans")];
    const { text } = await runCommand(compare, [a, b]);
    expect(text).toMatch(
      /takes \+\d+\.\d\d % of the time more than .*; most of the change is (kv|weights) \(/,
    );
    expect(text).not.toMatch(/[-+]0\.0+ /);
    const parts = rowsOf(text, /^Parts/);
    const whole = parts.at(-1);
    expect(whole?.[0]).toBe("whole");
    const sum = parts.slice(0, -1).reduce((all, row) => all + figure(row[3]), 0);
    expect(Math.abs(sum - figure(whole?.[3]))).toBeLessThan(1);
    expect((await runCommand(compare, [b, b])).text).toContain(
      "No difference: both take the same time.",
    );
  });

  it("refuses one, three, unlike ones and what is neither, naming them", async () => {
    const sweepFolder = at("slow");
    const refused = (line: readonly string[]) => expect(runCommand(compare, line)).rejects;
    await refused([sweepFolder]).toThrow("takes two files or folders");
    await refused([sweepFolder, sweepFolder, sweepFolder]).toThrow("takes two files or folders");
    await refused([sweepFolder, at("slow-step.spans")]).toThrow("not of one kind");
    await refused([sweepFolder, at("missing")]).toThrow(`${at("missing")}: ENOENT`);
    await mkdir(at("empty"), { recursive: true });
    await refused([at("empty"), sweepFolder]).toThrow(`${at("empty")} holds no point of a sweep.`);
    const other = at("other.json");
    await writeFile(other, '{"some": "thing"}');
    await refused([other, sweepFolder]).toThrow(
      `${other} is no sweep, bench, evaluation or profile.`,
    );
    await refused([sweepFolder, sweepFolder, "--htm", "x"]).toThrow("--htm");
  });
});

describe("trainyard open", () => {
  it("refuses what it cannot show, before it listens", async () => {
    await expect(runCommand(open, "")).rejects.toThrow("takes a file or a folder");
    await expect(runCommand(open, at("missing"))).rejects.toThrow(at("missing"));
    const other = at("none.json");
    await writeFile(other, "{}");
    await expect(open.opened(other, 0)).rejects.toThrow(
      "is no sweep, bench, evaluation or profile",
    );
  });
});
