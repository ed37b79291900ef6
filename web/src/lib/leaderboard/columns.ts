/** Which columns suit a board that nobody has chosen any for. */
import type { Row } from './rows';
import type { Column, View } from './view';

/** Those in which something differs: a board of predictions alone has no columns of what models are. */
export function suitableColumns(rows: readonly Row[], split: View['split']): Column[] {
    const columns: Column[] = ['top1', 'top5'];
    if (new Set(rows.map(({ entry }) => entry.kind)).size > 1) columns.push('kind');
    // Beside a second board there is no room for them.
    if (split !== 'both') {
        for (const column of ['parameters', 'macs', 'depth', 'images_per_second'] as const) {
            if (rows.some(({ entry }) => typeof entry.model?.[column] === 'number')) columns.push(column);
        }
        columns.push('submitted_at');
    }
    return columns;
}
