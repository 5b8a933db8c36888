# SPDX-License-Identifier: Apache-2.0
"""Makes the tables, a country to send to, as many products as asked for, and a last one of which there are ten."""
import sys

import django
from django.core.management import call_command

django.setup()
from oscar.apps.address.models import Country
from oscar.apps.catalogue.models import Category, Product, ProductCategory, ProductClass
from oscar.apps.partner.models import Partner, StockRecord

call_command("migrate", verbosity=0, skip_checks=True)
Country.objects.create(
    iso_3166_1_a2="GB", iso_3166_1_a3="GBR", iso_3166_1_numeric="826", printable_name="United Kingdom",
    name="United Kingdom", is_shipping_country=True)
kind, partner = ProductClass.objects.create(name="Goods"), Partner.objects.create(name="Warehouse")
category = Category.objects.add_root({"name": "All"})
numbers = range(1, int(sys.argv[1]) + 2)
products = Product.objects.bulk_create([
    Product(
        title="Product %d" % n, slug="product-%d" % n, upc="SKU-%d" % n, product_class=kind,
        description="A well made thing for the house or the garden, number %d." % n)
    for n in numbers], batch_size=500)
ProductCategory.objects.bulk_create([ProductCategory(product=p, category=category) for p in products], batch_size=500)
StockRecord.objects.bulk_create([
    StockRecord(
        product=p, partner=partner, partner_sku=p.upc, price_currency="GBP", price=10,
        num_in_stock=10 if p is products[-1] else 1000000)
    for p in products], batch_size=500)
