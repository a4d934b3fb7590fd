/** The files of a model as it goes on devices: without names where the configuration or the command line asks for that. */

import { formatNames, type Obfuscated, obfuscateModel } from "../emit/obfuscate";
import type { EncodedModel } from "../emit/model-writer";
import type { FilesToWrite } from "../io/files";
import type { Graph } from "../ir/graph";
import type { Options } from "./context";

/** Whether names are to be taken out of what goes on devices. */
export const obfuscates = (options: Options, { obfuscate = false }: Graph): boolean =>
  options.flag("obfuscate") || obfuscate;

/**
 * To be written after the files of the model itself, whose hash its own holds. Only these are without names: all tools work with the model.
 *
 * @param prefix of the model's files.
 */
export function deployedFiles(
  options: Options,
  prefix: string,
  { pb }: EncodedModel,
  obfuscate: boolean,
): FilesToWrite {
  const given = options.path("deploy_prefix");
  if (!obfuscate && given === undefined) return [];
  const to = given ?? `${prefix}.obfuscated`;
  const bytes = (): Uint8Array => Buffer.concat(typeof pb === "function" ? [...pb()] : [pb]);
  if (!obfuscate) {
    return [
      [`${to}.pb`, [() => [bytes()]]],
      [`${to}.names`, [formatNames([])]],
    ];
  }
  let made: Obfuscated | undefined;
  const hidden = (): Obfuscated => {
    made ??= obfuscateModel(bytes());
    return made;
  };
  return [
    [`${to}.pb`, [() => [hidden().pb]]],
    [`${to}.names`, [() => [new TextEncoder().encode(formatNames(hidden().names))]]],
  ];
}
