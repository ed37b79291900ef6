import { expect, test } from 'vitest';
import { DEFAULT_VIEW, queryOf, type View, viewFrom } from './view';

test('the address of a view leads back to it', () => {
    const view: View = { split: 'both', sort: 'top5_error', descending: true, search: 'res net & co', kind: 'model', entries: 'ranked', data: 'provided', columns: ['top1', 'depth'] };
    expect(viewFrom(new URLSearchParams(queryOf(view)))).toEqual(view);
});

test('the view that anyone sees first has a bare address', () => {
    expect(queryOf(DEFAULT_VIEW)).toBe('');
    expect(viewFrom(new URLSearchParams())).toEqual(DEFAULT_VIEW);
});

test('what an address says wrongly is ignored', () => {
    expect(viewFrom(new URLSearchParams('sort=-nonsense&kind=dog&columns=depth,nonsense'))).toEqual({ ...DEFAULT_VIEW, descending: true, columns: ['depth'] });
});
