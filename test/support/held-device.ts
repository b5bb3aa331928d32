/** A server whose device waits: what is under way stays so until it is let go, however quick the machine. */
import type { Batch, StepResult } from "../../device/device.ts";
import type { TestServer } from "./server.ts";

export interface HeldDevice {
  /** Steps that wait. */
  readonly steps: number;
  /** They are computed, and those after them as ever. */
  release(): void;
}

/** Steps from now on are not computed until `release`. */
export function holdDevice({ world: { device } }: Pick<TestServer, "world">): HeldDevice {
  const execute = device.execute.bind(device);
  const held: (() => void)[] = [];
  Object.assign(device, {
    execute: (batch: Batch, done: (result: StepResult) => void) => {
      held.push(() => execute(batch, done));
    },
  });
  return {
    get steps() {
      return held.length;
    },
    release: () => {
      Object.assign(device, { execute });
      for (const go of held.splice(0)) go();
    },
  };
}
