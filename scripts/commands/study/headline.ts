/**
 * The talk's chart (rows 4–6): gpt-oss-120b, users against tokens/s that each
 * gets, on a Trainium3 Gen2 UltraServer and on a Trainium2 UltraServer, each in
 * its best configuration at every point.
 *
 * Registered before the first run, 2026-11-23:
 * - 10,000 tokens in, 3,000 out, no prefix shared; steady state; users = replicas × rows;
 * - Trainium2: experts dequantised to BF16 (it has no MX), Trainium3: MXFP4; KV in BF16 on both;
 * - TP 4 to 64 and rows 1 to 256 where HBM allows; speculation off, or 5 drafts of a head at 0.69;
 * - time a token = step + (rows − 1) × prompt ÷ 3,000: one prompt at a time stalls the others;
 * - read vertically at 50 and 100 tokens/s/user, horizontally at 256 and 1,024 users;
 * - claims: 5.4× (AIM351) or 4.5× (AIM201) users; over 6× tokens.
 *
 * Changed since, none of the above: 2026-11-23, cases with FP8 experts on Trainium2 and
 * with prompts elsewhere, after the first run; 2026-11-25, ratios without kernels and
 * without speculation, the verdict at each registered point, bands from bands.ts.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { findInstance, type InstanceSpec } from "../../../device/trainium/instances.ts";
import type { WeightFormat } from "../../../models/ops.ts";
import { Progress } from "../../../server/progress.ts";
import { table } from "../../report/table.ts";
import { frontierChart } from "./chart.ts";
import {
  BAND,
  CALIBRATED,
  CLAIMED_TOKENS,
  CLAIMED_USERS,
  CONFIGURATIONS,
  decompose,
  EXTRAPOLATED,
  INPUT,
  OUTPUT,
  type Point,
  type PointOptions,
  points,
  READ_RATE,
  READ_USERS,
  rateAt,
  usersAt,
} from "./headline-points.ts";
import { studyModel } from "./model.ts";
import type { Study } from "./study.ts";

const model = studyModel("openai/gpt-oss-120b");

function pointsOf(
  instance: InstanceSpec,
  experts: WeightFormat,
  options: PointOptions = {},
): readonly Point[] {
  const title = `${instance.name}, ${experts} experts`;
  const bar = new Progress(title, CONFIGURATIONS, { unit: "systems" });
  const found = points(model, instance, experts, { ...options, progress: () => bar.step() });
  bar.end();
  return found;
}

export const headlineStudy: Study = async (print, { out } = {}) => {
  const old = findInstance("trn2-ultraserver");
  const next = findInstance("trn3-gen2-ultraserver");
  const two = pointsOf(old, "bf16");
  const three = pointsOf(next, "mxfp4");
  print(
    `gpt-oss-120b, ${INPUT} in / ${OUTPUT} out: ${old.name} (64 chips) and ${next.name} (144), best configuration of each.`,
  );
  print(
    "Trainium3 is extrapolated; the band moves its step time by the 80 % bands of both machines.\n",
  );
  print("Users at an interactivity (read vertically):");
  print(readVertically(two, three));
  print("\nTokens/s at a number of users (read horizontally):");
  print(readHorizontally(two, three));
  print("\nFrom one to the other, one difference at a time (users at the interactivity):");
  print(decomposition(old, next));
  print("\nWhat both machines have, taken from both (ratio of users, and the factor that it is):");
  print(shared(two, three, old, next));
  print("\nAdded after the first run, to see what the claims assume (ratio of users):");
  const eight = pointsOf(old, "fp8");
  print(sensitivity([two, eight], three, old, next));
  print(`\nThe claims at the registered points, as registered:\n${verdict(two, three)}`);
  print(
    `\nIf Trainium2 runs FP8 experts instead (added after the first run):\n${verdict(eight, three)}`,
  );
  if (out === undefined) {
    print("\n--out FOLDER writes the chart.");
    return 0;
  }
  const chart = join(out, "headline.svg");
  writeFileSync(
    chart,
    frontierChart(`gpt-oss-120b, ${INPUT} in / ${OUTPUT} out`, [
      { name: "Trn2 UltraServer, 64 chips, BF16", points: two, band: CALIBRATED },
      { name: "the same, FP8 experts", points: eight, band: CALIBRATED },
      {
        name: "Trn3 Gen2 UltraServer, 144 chips, MXFP4 (extrapolated)",
        points: three,
        band: EXTRAPOLATED,
      },
    ]),
  );
  print(`\nChart: ${chart}`);
  return 0;
};

const ratio = (a: number, b: number): string =>
  b === 0 ? (a === 0 ? "–" : "∞") : `${(a / b).toFixed(2)}×`;

function readVertically(two: readonly Point[], three: readonly Point[]): string {
  return table([
    ["tokens/s/user", "Trn2 users", "Trn3 users", "ratio", "band", "ratio a chip"],
    ...[10, 15, 20, 30, ...READ_USERS, 75, 125, 150, 200, 250]
      .sort((a, b) => a - b)
      .map((rate) => {
        const [a, b] = [usersAt(two, rate), usersAt(three, rate)];
        const low = ratio(usersAt(three, rate, BAND), a);
        const high = ratio(usersAt(three, rate, 1 / BAND), a);
        return [
          `${rate}`,
          `${a}`,
          `${b}`,
          ratio(b, a),
          `${low} to ${high}`,
          ratio(b / 144, a / 64),
        ];
      }),
  ]);
}

function readHorizontally(two: readonly Point[], three: readonly Point[]): string {
  return table([
    ["users", "Trn2 a user", "Trn3 a user", "ratio a user, system", "ratio a chip"],
    ...[16, 64, 128, ...READ_RATE, 512, 2048]
      .sort((a, b) => a - b)
      .map((users) => {
        const [a, b] = [rateAt(two, users), rateAt(three, users)];
        return [`${users}`, a.toFixed(1), b.toFixed(1), ratio(b, a), ratio(b / 144, a / 64)];
      }),
  ]);
}

/** Ratio with everything ÷ ratio without kernels, and without speculation: both machines have both. */
function shared(
  two: readonly Point[],
  three: readonly Point[],
  old: InstanceSpec,
  next: InstanceSpec,
): string {
  const plain = { kernels: "plain" };
  const alone = (all: readonly Point[]): readonly Point[] => all.filter((its) => its.drafted === 0);
  const cases: readonly (readonly [string, readonly Point[], readonly Point[]])[] = [
    ["kernels", pointsOf(old, "bf16", plain), pointsOf(next, "mxfp4", plain)],
    ["speculation", alone(two), alone(three)],
  ];
  const rates = [20, 30, ...READ_USERS];
  return table([
    ["without", ...rates.flatMap((rate) => [`at ${rate}`, "factor"])],
    ...cases.map(([name, a, b]) => [
      name,
      ...rates.flatMap((rate) => {
        const [without, users] = [usersAt(b, rate), usersAt(a, rate)];
        if (users === 0) return [without === 0 ? "–" : "∞", "–"];
        const whole = usersAt(three, rate) / usersAt(two, rate);
        return [`${(without / users).toFixed(2)}×`, `×${(whole / (without / users)).toFixed(2)}`];
      }),
    ]),
  ]);
}

function sensitivity(
  [two, eight]: readonly [readonly Point[], readonly Point[]],
  three: readonly Point[],
  old: InstanceSpec,
  next: InstanceSpec,
): string {
  const apart = { prefillElsewhere: true };
  const cases: readonly (readonly [string, readonly Point[], readonly Point[]])[] = [
    ["as registered", two, three],
    ["Trn2 with FP8 experts", eight, three],
    ["prompts elsewhere on both", pointsOf(old, "bf16", apart), pointsOf(next, "mxfp4", apart)],
    ["both of these", pointsOf(old, "fp8", apart), pointsOf(next, "mxfp4", apart)],
  ];
  const rates = [20, 30, ...READ_USERS, 150];
  return table([
    ["case", ...rates.map((rate) => `at ${rate}`)],
    ...cases.map(([name, a, b]) => [
      name,
      ...rates.map((rate) => {
        const users = usersAt(a, rate);
        return users === 0 ? "–" : `${(usersAt(b, rate) / users).toFixed(2)}×`;
      }),
    ]),
  ]);
}

/** What each claim comes to at the registered points, and where on the axis it holds. */
function verdict(two: readonly Point[], three: readonly Point[]): string {
  const says = (ratio: readonly [number, number, number], claim: number): string => {
    const [low, middle, high] = ratio;
    const holds = low <= claim && claim <= high;
    return `${claim}× ${holds ? "within the band" : middle > claim ? "exceeded" : "not reached"}`;
  };
  const span = ([low, middle, high]: readonly [number, number, number]): string =>
    `${middle.toFixed(2)}× (${low.toFixed(2)} to ${high.toFixed(2)})`;
  const users = READ_USERS.map((rate) => {
    const before = Math.max(1, usersAt(two, rate));
    const ratio = [BAND, 1, 1 / BAND].map((slower) => usersAt(three, rate, slower) / before) as [
      number,
      number,
      number,
    ];
    const claims = CLAIMED_USERS.map((claim) => says(ratio, claim)).join(", ");
    return `  at ${rate} tokens/s/user: ${span(ratio)} users: ${claims}`;
  });
  const tokens = READ_RATE.map((count) => {
    const before = rateAt(two, count);
    const ratio = [BAND, 1, 1 / BAND].map((slower) => rateAt(three, count, slower) / before) as [
      number,
      number,
      number,
    ];
    const chip = (ratio[1] * 64) / 144;
    return (
      `  at ${count} users: ${span(ratio)} tokens/s a user and a system, ${chip.toFixed(2)}× a chip: ` +
      says(ratio, CLAIMED_TOKENS)
    );
  });
  return [...users, ...tokens, ...CLAIMED_USERS.map((claim) => holding(two, three, claim))].join(
    "\n",
  );
}

/** Where on the axis a claim of users holds. */
function holding(two: readonly Point[], three: readonly Point[], claim: number): string {
  const rates: number[] = [];
  for (let rate = 5; rate <= 300; rate += 5) {
    const a = usersAt(two, rate);
    if (a > 0 && usersAt(three, rate) / a >= claim) rates.push(rate);
  }
  const [first] = rates;
  const last = rates[rates.length - 1];
  return first === undefined
    ? `${claim}× users holds at no interactivity.`
    : `${claim}× users holds at ${rates.length} of 60 interactivities between ${first} and ${last} tokens/s/user.`;
}

/** Trainium2 → Trainium3, one difference after another. */
function decomposition(old: InstanceSpec, next: InstanceSpec): string {
  const rates = [20, ...READ_USERS];
  let before: readonly number[] | undefined;
  const lines = decompose(model, old, next).map(({ name, points: all }) => {
    const users = rates.map((rate) => usersAt(all, rate));
    const line = [
      name,
      ...users.flatMap((its, index) => [
        `${its}`,
        before === undefined ? "" : `×${(its / Math.max(1, before[index] ?? 1)).toFixed(2)}`,
      ]),
    ];
    before = users;
    return line;
  });
  return table([["step", ...rates.flatMap((rate) => [`at ${rate}`, "×"])], ...lines]);
}
