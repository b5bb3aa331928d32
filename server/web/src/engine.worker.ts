/**
 * Off the page's thread: the engine and the cost model, which need nothing of Node's.
 * One script for all jobs; which one a worker has is its name (start-engine.ts).
 */
import { studiesJob } from "./curves/studies-job.ts";
import { sweepJob } from "./curves/sweep-job.ts";
import { profileJob } from "./explorer/profile-job.ts";
import { planJob } from "./plan/plan-job.ts";
import { steadyJob } from "./plan/steady-job.ts";
import type { Job } from "./start-engine.ts";

/** Each takes what the page posts: their own files say of what type. */
const JOBS: Readonly<Record<Job, (message: never) => unknown>> = {
  plan: planJob,
  profile: profileJob,
  steady: steadyJob,
  studies: studiesJob,
  sweep: sweepJob,
};

addEventListener("message", ({ data }: MessageEvent<unknown>) => {
  JOBS[self.name as Job](data as never); // start-engine.ts names it, and whoever started it knows its job
});
