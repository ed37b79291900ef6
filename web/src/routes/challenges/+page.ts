import { redirect } from '@sveltejs/kit';

// The list is the first page; who shortens an address finds it.
export const load = (): never => redirect(307, '/');
