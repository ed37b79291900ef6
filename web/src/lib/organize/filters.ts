/** Which submissions an organizer looks at: in the address, so that it can be sent to somebody. */
export type Show = 'all' | 'problems' | 'unfinished' | 'withdrawn';

interface Filter {
    value: Show;
    text: string;
    /** The API's words, joined by commas; all where there are none. */
    status?: string;
}

export const FILTERS: readonly Filter[] = [
    { value: 'all', text: 'All' },
    { value: 'problems', text: 'With problems', status: 'rejected,failed' },
    { value: 'unfinished', text: 'Not finished', status: 'queued,running' },
    { value: 'withdrawn', text: 'Withdrawn', status: 'withdrawn' },
];

export function filterOf(url: URL): Filter {
    const show = url.searchParams.get('show');
    return FILTERS.find(({ value }) => value === show) ?? { value: 'all', text: 'All' };
}
