/** How a board is looked at, and the address that says so: whoever opens the link sees the same. */

export const SORT_KEYS = [
    'rank',
    'public_rank',
    'shift',
    'team',
    'method',
    'kind',
    'top1_error',
    'top5_error',
    'parameters',
    'macs',
    'depth',
    'images_per_second',
    'submitted_at',
] as const;
export type SortKey = (typeof SORT_KEYS)[number];

export const COLUMNS = ['kind', 'top1', 'top5', 'parameters', 'macs', 'depth', 'images_per_second', 'submitted_at'] as const;
export type Column = (typeof COLUMNS)[number];

export interface View {
    /** Which board; `both`: the private one with the public one beside it. */
    split: 'public' | 'private' | 'both';
    sort: SortKey;
    descending: boolean;
    search: string;
    kind: 'all' | 'predictions' | 'model';
    entries: 'all' | 'ranked' | 'unranked';
    data: 'all' | 'provided';
    /** `null`: those that suit the board. */
    columns: readonly Column[] | null;
}

export const DEFAULT_VIEW: View = {
    split: 'public',
    sort: 'rank',
    descending: false,
    search: '',
    kind: 'all',
    entries: 'all',
    data: 'all',
    columns: null,
};

/** The view that an address asks for. What it does not say, or says wrongly, is as in `defaults`. */
export function viewFrom(parameters: URLSearchParams, defaults: View = DEFAULT_VIEW): View {
    const one = <Value extends string>(name: string, values: readonly Value[], fallback: Value): Value => {
        const value = parameters.get(name);
        return values.find((known) => known === value) ?? fallback;
    };
    const sort = parameters.get('sort') ?? '';
    const columns = parameters.get('columns')?.split(',');
    return {
        split: one('split', ['public', 'private', 'both'], defaults.split),
        sort: SORT_KEYS.find((key) => key === sort.replace(/^-/, '')) ?? defaults.sort,
        descending: sort === '' ? defaults.descending : sort.startsWith('-'),
        search: parameters.get('q') ?? defaults.search,
        kind: one('kind', ['all', 'predictions', 'model'], defaults.kind),
        entries: one('entries', ['all', 'ranked', 'unranked'], defaults.entries),
        data: one('data', ['all', 'provided'], defaults.data),
        columns: columns ? COLUMNS.filter((column) => columns.includes(column)) : defaults.columns,
    };
}

/** The query of the address of `view`: `?sort=-top5_error&q=resnet`, empty for `defaults`. */
export function queryOf(view: View, defaults: View = DEFAULT_VIEW): string {
    const parameters = new URLSearchParams();
    const set = (name: string, value: string, unless: string): void => {
        if (value !== unless) parameters.set(name, value);
    };
    const sort = (of: View): string => (of.descending ? '-' : '') + of.sort;
    set('split', view.split, defaults.split);
    set('sort', sort(view), sort(defaults));
    set('q', view.search, defaults.search);
    set('kind', view.kind, defaults.kind);
    set('entries', view.entries, defaults.entries);
    set('data', view.data, defaults.data);
    if (view.columns !== null) parameters.set('columns', view.columns.join(','));
    const query = parameters.toString();
    return query && `?${query}`;
}
