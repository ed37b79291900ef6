/** The numbers behind a chart, as its table shows them. */

export interface ChartTable {
    columns: readonly { title: string; isNumber?: boolean }[];
    rows: readonly (readonly Cell[])[];
}

/** A quantity is a large count, or `null` where nobody knows it. */
export type Cell = string | { text: string; href: string } | { quantity: number | null };
