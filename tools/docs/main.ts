/** Writes the reference pages into the source tree. */

import * as path from "node:path";
import { writeFileAtomically } from "../io/files";
import { pages } from "./pages";

const folder = path.join(process.env.BUILD_WORKSPACE_DIRECTORY ?? ".", "docs");
for (const [name, text] of pages()) writeFileAtomically(path.join(folder, name), [text]);
