# Each construct of the language, which the corpus has: the second half of its scripts.

n_to_r() { corpus_loads '[n-r]*'; }
check corpus-n-to-r n_to_r

s_to_z() { corpus_loads '[s-z]*'; }
check corpus-s-to-z s_to_z
