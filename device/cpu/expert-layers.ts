/** Who computes the experts of each layer: the rank's thread alone, or with a helper (expert-team.ts). */
import { ExpertTeam } from "./expert-team.ts";
import { Experts } from "./experts.ts";
import { threadEach } from "./graph/experts.ts";
import type { ExpertsStep, Program, Segment } from "./graph/steps.ts";
import type { Opener } from "./opener.ts";
import { Router } from "./routing.ts";
import { type Runner, Session } from "./session.ts";
import { wholePairs } from "./two-ways.ts";

export interface LayerExperts {
  /** The layer is to run soon. */
  readonly call: () => void;
  /** `input` and `out` are [tokens, hidden], `scores` [tokens, experts]. */
  readonly run: (input: Float32Array, scores: Float32Array, out: Float32Array) => void;
  readonly close: () => void;
}

export interface ExpertLayersOptions {
  readonly program: Program;
  readonly opener: Opener;
  readonly threads: number;
  /** Products are given whole pairs of rows. */
  readonly pairs: boolean;
  /** Segments are the runtime's sessions. */
  readonly sessions: boolean;
  /** Both threads hold all experts, in one format. */
  readonly both: boolean;
  /** Between native calls. */
  readonly breathe: () => void;
  /** Called with each expert that is open. */
  readonly opened: () => void;
}

/** An expert: the rank's, the helper's, or both. */
interface OpenedExpert {
  readonly mine?: Runner;
  /** Index of the helper's session. */
  readonly its?: number;
}

export class ExpertLayers {
  readonly #options: ExpertLayersOptions;
  #team: ExpertTeam | undefined;

  constructor(options: ExpertLayersOptions) {
    this.#options = options;
  }

  open(step: ExpertsStep, choiceBias?: Float32Array): LayerExperts {
    const { threads, sessions } = this.#options;
    const many = threadEach(step);
    return many && threads > 1 && sessions
      ? this.#divided(step, choiceBias)
      : this.#whole(step, many ? 1 : threads, choiceBias);
  }

  close(): void {
    void this.#team?.close();
  }

  #whole(step: ExpertsStep, threads: number, choiceBias?: Float32Array): LayerExperts {
    const runners = step.experts.map((segment) =>
      this.#open(() => this.#options.opener.open(segment, threads, true)),
    );
    const experts = this.#experts(step, runners, choiceBias);
    return {
      call: () => {},
      run: (input, scores, out) => {
        experts.choose(scores);
        experts.compute(input, out, this.#options.breathe);
      },
      close: () => experts.close(),
    };
  }

  #divided(step: ExpertsStep, choiceBias?: Float32Array): LayerExperts {
    const { pairs, both } = this.#options;
    const team = this.#teamOf();
    const half = step.experts.length >> 1;
    const opened = step.experts.map((segment, index): OpenedExpert => {
      if (both) return this.#open(() => this.#both(segment, team));
      return this.#open(() => (index < half ? this.#mine(segment) : this.#its(segment, team)));
    });
    const layer = team.add({
      step: { op: step.op, first: step.first },
      router: step.router,
      ...(choiceBias && { choiceBias }),
      sessions: opened.map(({ its }) => its),
      pairs,
      both,
    });
    const experts = this.#experts(
      step,
      opened.map(({ mine }) => mine),
      choiceBias,
    );
    const shared = { layer, experts, both };
    return {
      call: () => team.call(),
      run: (input, scores, out) => team.run(shared, [input, scores, out]),
      close: () => experts.close(),
    };
  }

  #mine(segment: Segment): OpenedExpert {
    return { mine: this.#options.opener.open(segment, 1, true) };
  }

  #its(segment: Segment, team: ExpertTeam): OpenedExpert {
    const how = { threads: 1, once: true, single: true };
    const { few } = this.#options.opener.openAs(segment, how, (graph, options) =>
      team.open(graph, options),
    );
    return { its: few };
  }

  #both(segment: Segment, team: ExpertTeam): OpenedExpert {
    const how = { threads: 1, once: true, single: true };
    const { few } = this.#options.opener.openAs(segment, how, (graph, options) => ({
      mine: new Session(graph, options),
      its: team.open(graph, options),
    }));
    return few;
  }

  #open<Made>(open: () => Made): Made {
    const { breathe, opened } = this.#options;
    breathe();
    const made = open();
    opened();
    return made;
  }

  #experts(
    step: ExpertsStep,
    runners: readonly (Runner | undefined)[],
    choiceBias?: Float32Array,
  ): Experts {
    const given = this.#options.pairs ? wholePairs : (rows: number): number => rows;
    return new Experts(step, new Router(step.router, choiceBias), runners, given);
  }

  /** The helper is started with the first layer that it shares. */
  #teamOf(): ExpertTeam {
    const { program, breathe } = this.#options;
    const ops = program.body.flatMap((step) => (step.kind === "experts" ? [step.op] : []));
    this.#team ??= new ExpertTeam(
      {
        hidden: Math.max(...ops.map(({ hidden }) => hidden)),
        experts: Math.max(...ops.map(({ experts }) => experts)),
      },
      breathe,
    );
    return this.#team;
  }
}
