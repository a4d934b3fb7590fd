/** Writes the reference pages into the source tree. */

import * as path from "node:path";
import { readTextFile } from "../io/files";
import { writeFileAtomically } from "../io/files";
import { HEADER, pages } from "./pages";

const folder = path.join(process.env.BUILD_WORKSPACE_DIRECTORY ?? ".", "docs");
for (const [name, text] of pages(readTextFile(HEADER, "diagnostics of the runtime")))
  writeFileAtomically(path.join(folder, name), [text]);
