/** The numbers behind a chart, as its table shows them. */

export interface ChartTable {
    columns: readonly { title: string; isNumber?: boolean }[];
    rows: readonly (readonly Cell[])[];
}

export type Cell = string | { text: string; href: string };
