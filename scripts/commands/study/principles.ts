/** Each principle of fast kernels toggled alone (talk row 7), on one model and machine. */
import { table } from "../../report/table.ts";
import { studyModel } from "./model.ts";
import { PRINCIPLES_MODEL, principleTimes, SHAPES } from "./principles-times.ts";
import type { Study } from "./study.ts";

export const principlesStudy: Study = async (print) => {
  const times = principleTimes(studyModel(PRINCIPLES_MODEL));
  const whole = times[0]?.ms ?? [];
  print(
    "Llama-3.1-8B, TP 4 on trn2.3xlarge, vLLM plug-in's kernels: ms of a step, and against all on.\n",
  );
  print(
    table([
      ["principle", ...SHAPES.flatMap(([name]) => [name, "×"])],
      ...times.map(({ name, ms }) => [
        name,
        ...ms.flatMap((its, shape) => [its.toFixed(2), (its / (whole[shape] ?? its)).toFixed(2)]),
      ]),
    ]),
  );
  return 0;
};
