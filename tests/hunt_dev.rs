mod enumerator;
