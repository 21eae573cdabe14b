import type { DataSet } from './data-set.ts';
import { incompressible } from './incompressible.ts';
import { mixed } from './mixed.ts';
import { oneTable } from './one-table.ts';
import { pgbench } from './pgbench.ts';
import { smallTables } from './small-tables.ts';
import { wideRows } from './wide-rows.ts';

export const DATA_SETS: readonly DataSet[] = [mixed, pgbench, incompressible, oneTable, smallTables, wideRows];
