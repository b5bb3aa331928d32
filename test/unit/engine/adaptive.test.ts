/** When to guess and how long, on machines that are counted, not timed: whatever they cost, it is never a loss. */
import { describe, expect, it } from "vitest";
import { CostCurve } from "../../../engine/speculate/cost-curve.ts";
import { GuessModel } from "../../../engine/speculate/guess-model.ts";
import { Ledger } from "../../../engine/speculate/ledger.ts";
import { NgramProposer } from "../../../engine/speculate/ngram.ts";
import type { Proposer } from "../../../engine/speculate/proposer.ts";
import { engineWorld, request } from "../../support/engine-world.ts";
import { bestPace, expectNoLoss, plainPace, play } from "../../support/guess-machine.ts";
import { type Machine, randomMachine, seeded } from "../../support/random-machine.ts";

const STEP = 100_000;

/** A step costs STEP and `slope` a token; drafting costs nothing. */
const machine = (of: Partial<Machine>, slope = 0): Machine => ({
  rows: 1,
  most: 6,
  step: (tokens) => STEP + slope * tokens,
  draft: () => 0,
  catchUp: 0,
  host: 0,
  rate: 0.8,
  ...of,
});

/** Ids a nanosecond, against a machine where nobody guesses. */
function speedUp(one: Machine, rounds: number, seed = 1): number {
  const { ids, time } = play(one, rounds, seeded(seed));
  return (plainPace(one) * ids) / time;
}

describe("guessing by measured costs", () => {
  it("is no loss on any machine: cliffs, dear drafts, catching up, short answers, noise", () => {
    for (let seed = 0; seed < 40; seed++) expectNoLoss(seed, 1000);
  });

  it("wins most of what there is to win where costs have no cliffs", () => {
    let met = 0;
    for (let seed = 0; seed < 120 && met < 8; seed++) {
      const one = randomMachine(seed, { smooth: true });
      const best = plainPace(one) / bestPace(one);
      if (best < 1.5) continue;
      met++;
      expect(speedUp(one, 2000, seed), `machine ${seed}: ${best}`).toBeGreaterThan(
        1 + 0.6 * (best - 1),
      );
    }
    expect(met).toBe(8);
  });

  it("guesses in full where tokens are free and guesses hold", () => {
    const one = machine({ rate: 0.95 });
    expect(speedUp(one, 1000)).toBeGreaterThan(0.9 * (plainPace(one) / bestPace(one)));
  });

  it("guesses less where each token costs, and hardly ever where it is a loss", () => {
    const some = play(machine({ rate: 0.8 }, STEP / 8), 1000, seeded(2));
    expect(some.guessed).toBeGreaterThan(800);
    expect((plainPace(machine({}, STEP / 8)) * some.ids) / some.time).toBeGreaterThan(1.1);
    expect(play(machine({ rate: 0.1 }, STEP), 1000, seeded(2)).guessed).toBeLessThan(60);
  });

  it("tries ever more rarely where it is a loss", () => {
    const dear = machine({ rate: 0.2, draft: () => STEP });
    const first = play(dear, 1000, seeded(3)).guessed;
    const more = play(dear, 10_000, seeded(3)).guessed;
    expect(more - first).toBeLessThan(2 * first + 30);
  });

  it("knows that drafting for many rows costs more than for one", () => {
    const draft = (rows: number): number => STEP * 0.3 * rows;
    expect(speedUp(machine({ rows: 1, draft, rate: 0.9 }), 2000)).toBeGreaterThan(2);
    const many = machine({ rows: 16, draft, rate: 0.9 });
    expect(speedUp(many, 2000)).toBeGreaterThan(0.97);
    expect(speedUp(many, 2000)).toBeLessThan(1.2);
  });

  it("goes by what is measured now: a machine that becomes another is noticed", () => {
    // Guesses pay until the host is busy elsewhere and drafting costs two steps.
    let round = 0;
    const changing = machine({
      rate: 0.9,
      draft: () => (round > 1000 ? 4 * STEP : 0),
      noise: () => {
        round++;
        return 1;
      },
    });
    const { guessed } = play(changing, 3000, seeded(4));
    expect(guessed).toBeGreaterThan(850);
    expect(guessed).toBeLessThan(1150);
  });
});

describe("the model of costs", () => {
  it("never asks for more than a row can use, nor where no guess holds", () => {
    const model = new GuessModel(6);
    for (let i = 0; i < 8; i++) {
      for (const tokens of [1, 4, 8]) model.observeStep(tokens, 1000 + tokens);
      for (const length of [1, 6]) model.observeDraft(1, length, 10);
      model.observeGuess(0, 5, 5);
      model.observeGuess(1, 5, 0);
    }
    expect(model.best([0, 0, 0], [2, 0, 9], 1)).toEqual([2, 0, 6]);
    const [sure = 0, vain = 0] = model.best([0, 1], [6, 6], 1) ?? [];
    expect(sure).toBe(6);
    expect(vain).toBeLessThanOrEqual(6);
    expect(model.best([0], [6], 100)).toBeUndefined();
    expect(model.priceOf(4, 1)).toBeGreaterThan(3);
  });

  it("answers between two sizes by their line, beyond all by that of all", () => {
    const curve = new CostCurve();
    expect(curve.at(3)).toBe(0);
    expect(curve.nearest(3)).toBe(Number.POSITIVE_INFINITY);
    for (const [size, cost] of [
      [1, 10],
      [2, 10],
      [10, 90],
    ] as const) {
      for (const noise of [0, 40, 1, 2, 900]) curve.add(size, cost + noise);
    }
    expect(curve.at(1)).toBe(11); // the lower quartile of five
    expect(curve.at(6)).toBe(51);
    expect(curve.at(12)).toBeGreaterThan(91);
    expect(curve.nearest(5)).toBe(2);
    const median = new CostCurve({ kept: 3, share: 1 / 2 });
    for (const cost of [1000, 9, 7, 8]) median.add(4, cost);
    expect(median.at(4)).toBe(8);
  });
});

describe("the ledger", () => {
  const round = {
    rows: 2,
    ids: 4,
    interval: 150,
    drafting: 20,
    step: 100,
    typical: true,
    tried: false,
  };

  /** Plain steps of two rows take 100; what is lent at the start is there. */
  function opened(): Ledger {
    const ledger = new Ledger();
    expect([ledger.budget, ledger.solvent, ledger.knows(2)]).toEqual([0, false, false]);
    ledger.plain(2, 100);
    return ledger;
  }

  it("lends a few steps, adds what is gained, and takes what is lost, to no more than that", () => {
    const ledger = opened();
    expect([ledger.pace(2), ledger.budget]).toEqual([100, 1600]);
    expect([ledger.knows(3), ledger.knows(4)]).toEqual([true, false]);
    ledger.round({ ...round, ids: 2 }); // as long as one and a half plain steps, for the ids of one
    expect(ledger.budget).toBeCloseTo(1600 - 50, 6);
    ledger.round({ ...round, ids: 3 }); // one and a half: neither
    expect(ledger.budget).toBeCloseTo(1600 - 50 + 1.5, 6);
    ledger.round(round); // two: 50 gained
    expect(ledger.budget).toBeCloseTo(1600, 6);
    ledger.other(200, -30);
    expect(ledger.budget).toBeCloseTo(1600 - 30, 6);
  });

  it("takes the host's bursts for what they are, and long drafting for what it costs", () => {
    const ledger = opened();
    ledger.round({ ...round, ids: 2, interval: 5000 });
    expect(ledger.budget).toBeCloseTo(1600 - (320 - 100), 6); // what time earns is more than fits
    const dear = opened();
    dear.round({ ...round, ids: 2, interval: 5000, drafting: 4900 });
    expect(dear.budget).toBeCloseTo(1600 - 4900, 6);
    expect(dear.solvent).toBe(false);
  });

  it("pays tries that lose from an allowance of their own, and keeps what they gain", () => {
    const ledger = opened();
    for (let step = 0; step < 100; step++) ledger.plain(2, 100);
    expect(ledger.budgetOfTries).toBeCloseTo(101 * 0.5, 6);
    ledger.round({ ...round, ids: 2, tried: true });
    expect([ledger.budget, ledger.budgetOfTries]).toEqual([1600, expect.closeTo(51.25 - 50, 6)]);
    ledger.round({ ...round, ids: 2 });
    const before = ledger.budget;
    ledger.round({ ...round, tried: true });
    expect(ledger.budget).toBeGreaterThan(before + 40);
    for (let step = 0; step < 5000; step++) ledger.plain(2, 100);
    expect([ledger.budget, ledger.ample, ledger.budgetOfTries]).toEqual([1600, true, 400]);
    ledger.round({ ...round, ids: 2, drafting: 900, interval: 1000 });
    expect([ledger.budget, ledger.ample]).toEqual([expect.closeTo(1600 - 900, 6), false]);
  });

  it("says that rounds gain while they are too few to know, and by their mean then", () => {
    const ledger = opened();
    const loss = { ...round, ids: 2 };
    for (let count = 0; count < 3; count++) {
      ledger.round(loss);
      expect(ledger.gaining).toBe(true);
    }
    ledger.round({ ...loss, typical: false }); // catching up says nothing of what follows
    expect(ledger.gaining).toBe(true);
    ledger.round(loss);
    expect(ledger.gaining).toBe(false);
    for (let count = 0; count < 5; count++) ledger.round(round);
    expect(ledger.gaining).toBe(true);
    for (let count = 0; count < 16; count++) ledger.round(loss);
    expect(ledger.gaining).toBe(false);
    ledger.forgetLosses(); // of others
    expect([ledger.gaining, ledger.proven]).toEqual([true, false]);
    for (let count = 0; count < 16; count++) ledger.round(round);
    ledger.forgetLosses();
    expect([ledger.gaining, ledger.proven]).toEqual([true, true]);
  });
});

describe("an engine whose guesser rests", () => {
  /** How many steps ended while another was under way. */
  function run(proposer: Proposer, adaptive: boolean) {
    const { clock, engine, device, events } = engineWorld({
      limits: { inFlight: 2, maxContext: 400, blocks: 400 },
      options: { speculative: { proposer, maxTokens: 3, adaptive } },
      price: (batch) => 1000 + 900 * batch.rows.reduce((sum, row) => sum + row.drafted, 0),
    });
    let two = 0;
    const ended = (): number => events.filter((each) => each.type === "step-finished").length;
    engine.subscribe((event) => {
      if (event.type !== "tokens-emitted") return;
      const underWay = device.batches.length - ended();
      if (underWay > 1) two++;
    });
    engine.submit(request([1, 2, 3], { maxTokens: 300, temperature: 0 }));
    clock.runReady();
    engine.check();
    return { two, steps: ended() };
  }

  /** Always wrong. */
  const wrong: Proposer = {
    name: "wrong",
    propose: (requests, done) => {
      done(new Map(requests.map(({ sequence, count }) => [sequence.id, Array(count).fill(96)])));
    },
    close: () => Promise.resolve(),
  };

  it("keeps two steps under way, as one without guesses does", () => {
    const resting = run(wrong, true);
    expect(resting.two / resting.steps).toBeGreaterThan(0.8);
    expect(run(wrong, false).two).toBeLessThan(3);
    expect(run(new NgramProposer({ min: 1, max: 3 }), false).two).toBeLessThan(3);
  });
});
