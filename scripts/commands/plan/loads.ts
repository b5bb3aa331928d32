/** How many users a replica has, by the number of instances: the choices that differ. */
import type { Candidate } from "./candidates.ts";

export interface Load {
  readonly instances: number;
  readonly replicas: number;
  /** Of the most loaded replica: users are spread evenly. */
  readonly usersPerReplica: number;
}

/**
 * Ascending in instances, each with fewer users a replica than the one before: an
 * instance more that takes no user from the most loaded replica is money for nothing.
 * Empty where a replica needs more chips than an instance has.
 */
export function loadsOf(
  { chips, instance }: Pick<Candidate, "chips" | "instance">,
  users: number,
): Load[] {
  const each = Math.floor(instance.chips / chips);
  const loads: Load[] = [];
  if (each === 0) return loads;
  for (let instances = 1; ; ) {
    const replicas = Math.min(instances * each, users);
    const usersPerReplica = Math.ceil(users / replicas);
    loads.push({ instances, replicas, usersPerReplica });
    if (usersPerReplica === 1) return loads;
    instances = Math.ceil(Math.ceil(users / (usersPerReplica - 1)) / each);
  }
}
